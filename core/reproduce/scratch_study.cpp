// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/scratch_study.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/file_lock.h"
#include "core/engine/engine.h"
#include "core/io/json_limits.h"
#include "core/jobs/job_folder.h"
#include "core/reproduce/score_model.h"
#include "core/reproduce/study_texts.h"
#include "core/train/corpus.h"
#include "core/train/trainer.h"

namespace natscope::reproduce {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// A study of before must be this one; a new folder is marked as this one's.
Expected<void> claim_folder(const StudyOptions& options) {
  const fs::path file = options.out / "study.json";
  const json wanted = study_json(options);
  std::error_code problem;
  if (!fs::exists(file, problem)) return write_file_atomically(file, wanted.dump(2) + "\n");
  NATSCOPE_TRY(const json there, read_json_file(file));
  if (there == wanted) return {};
  return fail(ErrorCode::usage, printable(options.out.string()) + " holds another study",
              "give the options that its study.json names, or another --out");
}

/// Training tokens are the same for all runs: one file under several names, while runs need it.
void share_tokens(const fs::path& shared, const fs::path& own) {
  std::error_code ignored;
  if (fs::exists(shared, ignored) && !fs::exists(own, ignored)) fs::create_hard_link(shared, own, ignored);
}

}  // namespace

struct ScratchStudy::State {
  StudyOptions options;
  std::vector<StudyRun> plan;
  StudyTexts texts;

  [[nodiscard]] fs::path folder(const std::string& key) const { return options.out / "runs" / key; }
  [[nodiscard]] fs::path rows_file(const std::string& key) const { return folder(key) / "rows.json"; }
  [[nodiscard]] bool is_done(const std::string& key) const {
    std::error_code problem;
    return fs::exists(rows_file(key), problem);
  }

  [[nodiscard]] Expected<std::vector<StudyRow>> rows_of(const std::string& key) const {
    NATSCOPE_TRY(const json stored, read_json_file(rows_file(key)));
    std::vector<StudyRow> rows;
    for (const json& object : stored.is_array() ? stored : json::array()) {
      NATSCOPE_TRY(StudyRow row, row_from_json(object));
      rows.push_back(std::move(row));
    }
    if (rows.empty()) {
      return fail(ErrorCode::bad_job, printable(rows_file(key).string()) + " holds no rows",
                  "remove it, and run again");
    }
    return rows;
  }

  /// The policy that a run is trained with. For a mask: at the budget that the learned roles of another run came to.
  [[nodiscard]] Expected<Policy> training_policy(const StudyRun& run) const {
    Policy policy;
    if (run.trained == TrainedWith::full) policy.kind = Policy::Kind::full;
    if (run.budget_of.empty()) return policy;
    NATSCOPE_TRY(const auto learned, rows_of(run.budget_of));
    const auto kind = run.trained == TrainedWith::window ? Policy::Kind::window : Policy::Kind::streaming;
    return policy_at_budget(kind, learned.front().kv_fraction, size_of(options).context);
  }

  [[nodiscard]] Expected<void> train_run(const StudyRun& run, const Policy& policy, const StudyListener& listener,
                                         const StopToken& stop) const {
    const fs::path job = folder(run.key) / "job";
    train::TrainOptions o = training_of(options);
    o.data = texts.training();
    o.tokenizer = texts.tokenizer();
    o.job = job;
    o.out = folder(run.key) / "model";
    o.policy = policy;
    o.seed = static_cast<std::uint64_t>(run.seed);
    o.sparse_regularized_value = policy.kind == Policy::Kind::model ? run.lambda.value_or(0) : 0;
    if (run.trained == TrainedWith::nats) o.local_charge = train::LocalCharge::argmax;
    const fs::path shared = options.out / "train.tokens";
    std::error_code ignored;
    fs::create_directories(job, ignored);
    share_tokens(shared, job / "train.tokens");
    train::TrainListener steps;
    steps.step = listener.step;
    NATSCOPE_CHECK(train::train(o, jobs::JobFolder::exists(job), steps, stop));
    share_tokens(job / "train.tokens", shared);
    return {};
  }

  [[nodiscard]] Expected<std::vector<StudyRow>> score_run(const StudyRun& run, const Policy& trained,
                                                          const StudyListener& listener, const StopToken& stop) const {
    EngineOptions engine_options;
    engine_options.model = folder(run.key) / "model";
    engine_options.device = Device::cpu;
    engine_options.dtype = kernels::ElementType::f32;
    engine_options.threads = options.threads;
    engine_options.trace_store_bytes = 0;
    NATSCOPE_TRY(const auto engine, Engine::open(engine_options, stop));
    std::vector<Policy> policies{trained};
    if (run.trained == TrainedWith::full) {
      const auto applied = applied_baselines(size_of(options).context);
      policies.insert(policies.end(), applied.begin(), applied.end());
    }
    std::vector<StudyRow> rows;
    for (const Policy& policy : policies) {
      NATSCOPE_TRY(StudyRow row, score_model(*engine, texts.segments(), policy, stop));
      row.run = run.key;
      row.model = name(run.trained);
      row.lambda = run.lambda;
      row.seed = run.seed;
      if (listener.scored) listener.scored(row);
      rows.push_back(std::move(row));
    }
    return rows;
  }

  Expected<void> do_run(const StudyRun& run, const StudyListener& listener, const StopToken& stop) const {
    NATSCOPE_TRY(const Policy policy, training_policy(run));
    std::error_code problem;
    if (!fs::exists(folder(run.key) / "model" / "config.json", problem))
      NATSCOPE_CHECK(train_run(run, policy, listener, stop));
    NATSCOPE_TRY(const auto rows, score_run(run, policy, listener, stop));
    json stored = json::array();
    for (const StudyRow& row : rows) stored.push_back(row_json(row));
    NATSCOPE_CHECK(write_file_atomically(rows_file(run.key), stored.dump(2) + "\n"));
    // Nobody goes on with a finished training, and checkpoints are most of its bytes.
    fs::remove_all(folder(run.key) / "job" / "checkpoints", problem);
    fs::remove(folder(run.key) / "job" / "train.tokens", problem);
    return {};
  }
};

std::vector<bool> runs_done(const StudyOptions& options) {
  std::vector<bool> done;
  for (const StudyRun& run : study_plan(options)) {
    std::error_code problem;
    done.push_back(fs::exists(options.out / "runs" / run.key / "rows.json", problem));
  }
  return done;
}

ScratchStudy::ScratchStudy(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScratchStudy::ScratchStudy(ScratchStudy&&) noexcept = default;
ScratchStudy& ScratchStudy::operator=(ScratchStudy&&) noexcept = default;
ScratchStudy::~ScratchStudy() = default;

Expected<ScratchStudy> ScratchStudy::open(StudyOptions options, const Say& say, const StopToken& stop) {
  NATSCOPE_CHECK(train::text_files(options.data));
  NATSCOPE_CHECK(train::text_files(options.test));
  std::error_code problem;
  fs::create_directories(options.out / "runs", problem);
  if (problem) return fail(ErrorCode::io_failure, printable(options.out.string()) + ": " + problem.message());
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->plan = study_plan(state->options);
  NATSCOPE_TRY(const auto preparing, wait_for_lock(state->options.out / ".lock"));
  NATSCOPE_CHECK(claim_folder(state->options));
  NATSCOPE_TRY(state->texts, StudyTexts::prepare(state->options, say, stop));
  return ScratchStudy(std::move(state));
}

const StudyOptions& ScratchStudy::options() const { return state_->options; }
const std::vector<StudyRun>& ScratchStudy::plan() const { return state_->plan; }
bool ScratchStudy::is_done(const StudyRun& run) const { return state_->is_done(run.key); }

Expected<void> ScratchStudy::run(const StudyListener& listener, const StopToken& stop) {
  for (const StudyRun& run : state_->plan) {
    NATSCOPE_CHECK(check(stop));
    if (state_->is_done(run.key)) continue;
    // Its budget is being measured by another process, which will come here next.
    if (!run.budget_of.empty() && !state_->is_done(run.budget_of)) continue;
    std::error_code problem;
    fs::create_directories(state_->folder(run.key), problem);
    if (problem) return fail(ErrorCode::io_failure, printable(run.key) + ": " + problem.message());
    NATSCOPE_TRY(const auto lock, try_lock(state_->folder(run.key) / ".lock"));
    if (!lock || state_->is_done(run.key)) continue;
    if (listener.begun) {
      const auto done = std::count_if(state_->plan.begin(), state_->plan.end(),
                                      [this](const StudyRun& other) { return is_done(other); });
      listener.begun(run, static_cast<std::size_t>(done), state_->plan.size());
    }
    NATSCOPE_CHECK(state_->do_run(run, listener, stop));
  }
  return {};
}

Expected<std::vector<StudyRow>> ScratchStudy::rows() const {
  std::vector<StudyRow> all;
  for (const StudyRun& run : state_->plan) {
    if (!state_->is_done(run.key)) continue;
    NATSCOPE_TRY(const auto rows, state_->rows_of(run.key));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace natscope::reproduce
