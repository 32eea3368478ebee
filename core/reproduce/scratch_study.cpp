// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/scratch_study.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/cache/policy_budget.h"
#include "core/engine/engine.h"
#include "core/jobs/job_folder.h"
#include "core/reproduce/score_model.h"
#include "core/reproduce/study_folder.h"
#include "core/reproduce/study_texts.h"
#include "core/train/text/corpus.h"
#include "core/train/trainer.h"

namespace natscope::reproduce {

namespace fs = std::filesystem;

namespace {

/// Training tokens are the same for all runs: one file under several names, while runs need it.
void share_tokens(const fs::path& shared, const fs::path& own) {
  std::error_code ignored;
  if (fs::exists(shared, ignored) && !fs::exists(own, ignored)) fs::create_hard_link(shared, own, ignored);
}

}  // namespace

struct ScratchStudy::State {
  StudyOptions options;
  std::vector<StudyRun> plan;
  std::vector<PlannedRun> planned;  // the same
  StudyTexts texts;
  StudyFolder folder{{}};

  /// The policy that a run is trained with. For a mask: at the budget that the learned roles of another run came to.
  [[nodiscard]] Expected<Policy> training_policy(const StudyRun& run) const {
    Policy policy;
    if (run.trained == TrainedWith::full) policy.kind = Policy::Kind::full;
    if (run.budget_of.empty()) return policy;
    NATSCOPE_TRY(const auto learned, folder.rows(run.budget_of));
    const auto kind = run.trained == TrainedWith::window ? Policy::Kind::window : Policy::Kind::streaming;
    return policy_at_budget(kind, learned.front().kv_fraction, size_of(options).context);
  }

  [[nodiscard]] Expected<void> train_run(const StudyRun& run, const Policy& policy, const StudyListener& listener,
                                         const StopToken& stop) const {
    const fs::path job = folder.job(run.key);
    train::TrainOptions o = training_of(options);
    o.data = texts.training();
    o.tokenizer = texts.tokenizer();
    o.job = job;
    o.out = folder.model(run.key);
    o.policy = policy;
    o.seed = static_cast<std::uint64_t>(run.seed);
    o.sparse_regularized_value = policy.kind == Policy::Kind::model ? run.lambda.value_or(0) : 0;
    if (run.trained == TrainedWith::nats) o.local_charge = train::LocalCharge::argmax;
    const fs::path shared = options.out / "train.tokens";
    std::error_code ignored;
    fs::create_directories(job, ignored);
    share_tokens(shared, job / "train.tokens");
    NATSCOPE_CHECK(folder.renew_places(run.key, train::options_json(o)));
    train::TrainListener steps;
    steps.step = listener.step;
    NATSCOPE_CHECK(train::train(o, jobs::JobFolder::exists(job), steps, stop));
    share_tokens(job / "train.tokens", shared);
    return {};
  }

  [[nodiscard]] Expected<std::vector<StudyRow>> score_run(const StudyRun& run, const Policy& trained,
                                                          const StudyListener& listener, const StopToken& stop) const {
    EngineOptions engine_options;
    engine_options.model = folder.model(run.key);
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
    if (!folder.is_trained(run.key)) NATSCOPE_CHECK(train_run(run, policy, listener, stop));
    NATSCOPE_TRY(const auto rows, score_run(run, policy, listener, stop));
    return folder.finish(run.key, rows);
  }
};

std::vector<bool> runs_done(const StudyOptions& options) {
  std::vector<bool> done;
  const StudyFolder folder(options.out);
  for (const StudyRun& run : study_plan(options)) done.push_back(folder.is_done(run.key));
  return done;
}

ScratchStudy::ScratchStudy(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScratchStudy::ScratchStudy(ScratchStudy&&) noexcept = default;
ScratchStudy& ScratchStudy::operator=(ScratchStudy&&) noexcept = default;
ScratchStudy::~ScratchStudy() = default;

Expected<ScratchStudy> ScratchStudy::open(StudyOptions options, const Say& say, const StopToken& stop) {
  NATSCOPE_CHECK(train::text_files(options.data));
  NATSCOPE_CHECK(train::text_files(options.test));
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->plan = study_plan(state->options);
  for (const StudyRun& run : state->plan) {
    state->planned.push_back({run.key, {}});
    if (!run.budget_of.empty()) state->planned.back().after.push_back(run.budget_of);
  }
  state->folder = StudyFolder(state->options.out);
  NATSCOPE_CHECK(state->folder.begin(study_json(state->options), made_names, [&]() -> Expected<void> {
    NATSCOPE_TRY(state->texts, StudyTexts::prepare(state->options, say, stop));
    NATSCOPE_TRY(const auto inputs, inputs_of(state->options.data, state->texts.segments(), stop));
    return state->folder.keep_inputs(inputs);
  }));
  return ScratchStudy(std::move(state));
}

const StudyOptions& ScratchStudy::options() const { return state_->options; }
std::size_t ScratchStudy::left() const {
  const auto& plan = state_->planned;
  return static_cast<std::size_t>(std::count_if(
      plan.begin(), plan.end(), [this](const PlannedRun& run) { return !state_->folder.is_done(run.key); }));
}

Expected<void> ScratchStudy::run(const StudyListener& listener, const StopToken& stop) {
  return work_through(state_->folder, state_->planned, listener, stop,
                      [&](std::size_t i) { return state_->do_run(state_->plan[i], listener, stop); });
}

Expected<std::vector<StudyRow>> ScratchStudy::rows() const { return rows_of(state_->folder, state_->planned); }

}  // namespace natscope::reproduce
