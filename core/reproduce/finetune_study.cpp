// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/finetune_study.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/cache/policy_budget.h"
#include "core/engine/engine.h"
#include "core/io/model_folder.h"
#include "core/jobs/job_folder.h"
#include "core/reproduce/score_model.h"
#include "core/reproduce/study_plan.h"
#include "core/reproduce/study_texts.h"
#include "core/train/finetuner.h"
#include "core/train/text/corpus.h"

namespace natscope::reproduce {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* full_run = "full";
constexpr const char* budget_run = "same-budget";
constexpr std::int64_t longest_by_default = 1024;

/// Lengths that pass keys are asked for at.
std::vector<std::int64_t> grid_lengths(const FinetuneStudyOptions& options) {
  const std::int64_t longest = options.longest;
  if (!options.key_lengths.empty()) return options.key_lengths;
  return longest >= 1024 ? std::vector<std::int64_t>{longest / 4, longest / 2, longest}
                         : std::vector<std::int64_t>{longest};
}

/// What an adapter's cache holds of documents of a length.
double fraction_of_documents(const StudyRow& row, std::int64_t length) {
  const auto cell = std::find_if(row.passkeys.begin(), row.passkeys.end(),
                                 [length](const PasskeyCell& c) { return c.length == length; });
  return cell == row.passkeys.end() ? row.kv_fraction : cell->kv_fraction.value_or(row.kv_fraction);
}

/// Without what stands there twice, in the order of the first of each.
template <class Number>
std::vector<Number> each_once(const std::vector<Number>& numbers) {
  std::vector<Number> once;
  for (const Number number : numbers) {
    if (std::find(once.begin(), once.end(), number) == once.end()) once.push_back(number);
  }
  return once;
}

struct Adapter {
  int window = 0;
  double lambda = 0;
};

/// In the order in which they are taught.
std::vector<Adapter> adapters_of(const FinetuneStudyOptions& options) {
  std::vector<Adapter> adapters;
  for (const int window : options.windows) {
    for (const double lambda : options.lambdas) adapters.push_back({window, lambda});
  }
  return adapters;
}

/// Full attention, the adapters, and the baselines at the budget of the cheapest one.
std::vector<PlannedRun> planned_runs(const FinetuneStudyOptions& options) {
  std::vector<PlannedRun> runs{{full_run, {}}};
  // Named after all adapters: with another one the cheapest may be another.
  PlannedRun last{budget_run, {full_run}};
  for (const double lambda : options.lambdas) last.key += "-" + json(lambda).dump();
  for (const int window : options.windows) last.key += "-W" + std::to_string(window);
  for (const Adapter& adapter : adapters_of(options)) {
    runs.push_back({"scores-W" + std::to_string(adapter.window) + "-" + json(adapter.lambda).dump(), {}});
    last.after.push_back(runs.back().key);
  }
  runs.push_back(std::move(last));
  return runs;
}

/// Errors: unsupported_model (it has score layers), usage (documents longer than its context).
Expected<FinetuneStudyOptions> fitted_to(const ModelFolder& model, FinetuneStudyOptions options) {
  if (model.config().nats) {
    return fail(ErrorCode::unsupported_model, printable(options.model.string()) + " has score layers already",
                "name a full-attention model; without --model the bundled demo's twin is taken");
  }
  const std::int64_t context = model.config().context;
  options.longest = std::min(options.longest > 0 ? options.longest : longest_by_default, context);
  for (const std::int64_t length : options.key_lengths) {
    if (length <= context) continue;
    return fail(ErrorCode::usage, "--key-lengths: " + std::to_string(length) + " is longer than the model's context",
                "ask at most for " + std::to_string(context));
  }
  return options;
}

}  // namespace

Expected<FinetuneStudyOptions> resolve(FinetuneStudyOptions o) {
  if (o.model.empty()) return fail(ErrorCode::usage, "no model", "name a full-attention model's folder with --model");
  if (o.data.empty()) return fail(ErrorCode::usage, "no text to learn from", "name a folder with --data");
  if (o.test.empty()) return fail(ErrorCode::usage, "no text to score on", "name a folder with --test");
  if (o.out.empty()) return fail(ErrorCode::usage, "no folder for the study", "name one with --out");
  const auto within = [](double value, double low, double high) { return value >= low && value <= high; };
  if (o.windows.empty() ||
      !std::all_of(o.windows.begin(), o.windows.end(), [](int w) { return w >= 0 && w <= 131072; }))
    return fail(ErrorCode::usage, "--windows is out of range", "give numbers from 0 to 131072, such as 16,32,64");
  if (o.lambdas.empty() ||
      !std::all_of(o.lambdas.begin(), o.lambdas.end(), [&](double value) { return within(value, 0, 1); }))
    return fail(ErrorCode::usage, "--lambdas is out of range", "give values from 0 to 1, such as 1e-7,1e-6");
  if (!within(static_cast<double>(o.steps), 1, 1e9)) return fail(ErrorCode::usage, "--steps is out of range");
  if (!within(o.passkey, 0, 1)) return fail(ErrorCode::usage, "--passkey is out of range", "give a share from 0 to 1");
  if (!within(o.passkey_keys, 1, train::most_passkeys))
    return fail(ErrorCode::usage, "--passkey-keys is out of range",
                "give 1 to " + std::to_string(train::most_passkeys));
  if (!std::all_of(o.key_lengths.begin(), o.key_lengths.end(),
                   [&](std::int64_t n) { return within(static_cast<double>(n), 1, 1e6); }))
    return fail(ErrorCode::usage, "--key-lengths is out of range", "give numbers of tokens, such as 256,512,1024");
  if (!within(o.documents, 1, 1e6)) return fail(ErrorCode::usage, "--documents is out of range");
  if (!within(static_cast<double>(o.test_tokens), 2, 1e9))
    return fail(ErrorCode::usage, "--test-tokens is out of range");
  if (!within(static_cast<double>(o.longest), 0, 1e6)) return fail(ErrorCode::usage, "--length is out of range");
  o.windows = each_once(o.windows);
  o.lambdas = each_once(o.lambdas);
  o.key_lengths = each_once(o.key_lengths);
  return o;
}

json study_json(const FinetuneStudyOptions& o) {
  return {{"study", "finetune"},
          {"task", name(o.task)},
          {"model", o.model.string()},
          {"data", o.data.string()},
          {"test", o.test.string()},
          {"steps", o.steps},
          {"passkey", o.passkey},
          {"length", o.longest},
          {"test_tokens", o.test_tokens},
          {"documents", o.documents},
          {"passkey_keys", o.passkey_keys},
          {"key_lengths", o.key_lengths}};
}

bool is_kept(const StudyRow& row, const StudyRow& full) {
  if (full.accuracy()) return row.accuracy().value_or(0) * kept_factor >= *full.accuracy();
  // A model that finds keys keeps finding them; one that finds none loses nothing.
  const auto keys = row.keys_found(), all_keys = full.keys_found();
  if (keys && all_keys && keys->share() * kept_factor < all_keys->share()) return false;
  return row.perplexity <= kept_factor * full.perplexity;
}

const StudyRow* cheapest_adapter(const std::vector<StudyRow>& rows) {
  const auto full =
      std::find_if(rows.begin(), rows.end(), [](const StudyRow& r) { return r.run == full_run && r.policy == "full"; });
  if (full == rows.end()) return nullptr;
  const auto loss = [&](const StudyRow& row) {
    if (full->accuracy()) return -row.accuracy().value_or(0);
    const auto keys = row.keys_found();
    // The last adapter to lose keys is the closest one; perplexity decides among equals.
    return row.perplexity / full->perplexity - (keys ? 100 * keys->share() : 0);
  };
  const StudyRow* best = nullptr;
  for (const StudyRow& row : rows) {
    if (!row.window) continue;
    const bool kept = is_kept(row, *full);
    const bool best_kept = best != nullptr && is_kept(*best, *full);
    const bool better = best == nullptr || (kept && !best_kept) ||
                        (kept == best_kept && (kept ? row.kv_fraction < best->kv_fraction : loss(row) < loss(*best)));
    if (better) best = &row;
  }
  return best;
}

struct FinetuneStudy::State {
  FinetuneStudyOptions options;
  StudyFolder folder{{}};
  std::vector<PlannedRun> planned;
  std::vector<Adapter> adapters;  // of planned[1 …]
  fs::path training;
  std::vector<ScoredSegment> segments;
  PasskeyGrid grid;  // of books; no lengths: none are asked for
  std::vector<GridDocument> documents;

  /// Texts in the model's own tokens, and for books the documents with pass keys.
  Expected<void> read_texts(const ModelFolder& model, const StopToken& stop) {
    const TextChoice choice{options.task, options.data,        options.test,
                            options.out,  options.test_tokens, options.longest};
    NATSCOPE_TRY(training, training_text(
                               choice, [](const std::string&) {}, stop));
    NATSCOPE_TRY(segments, scored_segments(choice, model.tokenizer(), model.bos_id(), stop));
    NATSCOPE_TRY(train::RunInputs inputs, inputs_of(options.data, segments, stop));
    inputs["model"] = model.sha256();
    NATSCOPE_CHECK(folder.keep_inputs(inputs));
    if (options.task == StudyTask::distance) return {};
    grid.lengths = grid_lengths(options);
    grid.documents = options.documents;
    grid.keys = options.passkey_keys;
    std::vector<std::int32_t> tokens;
    for (const ScoredSegment& segment : segments)
      tokens.insert(tokens.end(), segment.tokens.begin(), segment.tokens.end());
    NATSCOPE_TRY(documents, passkey_documents(grid, tokens, model.tokenizer(), model.bos_id()));
    return {};
  }

  [[nodiscard]] Expected<std::unique_ptr<Engine>> engine(std::optional<fs::path> adapter, const StopToken& stop) const {
    EngineOptions open;
    open.model = options.model;
    open.adapter = std::move(adapter);
    open.device = Device::cpu;
    open.dtype = kernels::ElementType::f32;
    open.threads = options.threads;
    open.trace_store_bytes = 0;
    return Engine::open(open, stop);
  }

  [[nodiscard]] Expected<StudyRow> score(Engine& opened, const std::string& run, const Policy& policy,
                                         bool asks_for_keys, const StudyListener& listener,
                                         const StopToken& stop) const {
    NATSCOPE_TRY(StudyRow row, score_model(opened, segments, policy, stop));
    row.run = run;
    row.model = run;
    if (asks_for_keys && !documents.empty()) {
      PasskeyAsking asking;
      asking.policy = [&](std::int64_t) { return policy; };
      NATSCOPE_TRY(row.passkeys, score_passkeys(opened, grid, documents, asking, stop));
    }
    if (listener.scored) listener.scored(row);
    return row;
  }

  Expected<std::vector<StudyRow>> full(const StudyListener& listener, const StopToken& stop) const {
    NATSCOPE_TRY(const auto opened, engine({}, stop));
    std::vector<StudyRow> rows;
    Policy full_attention;
    full_attention.kind = Policy::Kind::full;
    NATSCOPE_TRY(StudyRow row, score(*opened, full_run, full_attention, true, listener, stop));
    rows.push_back(std::move(row));
    for (const Policy& policy : applied_baselines(options.longest)) {
      NATSCOPE_TRY(StudyRow baseline, score(*opened, full_run, policy, false, listener, stop));
      rows.push_back(std::move(baseline));
    }
    return rows;
  }

  Expected<std::vector<StudyRow>> adapter(const std::string& key, const Adapter& what, const StudyListener& listener,
                                          const StopToken& stop) const {
    if (!folder.is_trained(key)) {
      train::FinetuneOptions o;
      o.model = options.model;
      o.data = training;
      o.job = folder.job(key);
      o.out = folder.model(key);
      o.window = what.window;
      o.sparse_regularized_value = what.lambda;
      o.steps = options.steps;
      o.context = static_cast<int>(options.longest);
      o.passkey = options.task == StudyTask::books ? options.passkey : 0;
      o.passkey_keys = options.passkey_keys;
      o.threads = options.threads;
      NATSCOPE_CHECK(folder.renew_places(key, train::options_json(o)));
      train::TrainListener steps;
      steps.step = listener.step;
      NATSCOPE_CHECK(train::finetune(o, jobs::JobFolder::exists(o.job), steps, stop));
    }
    NATSCOPE_TRY(const auto opened, engine(folder.model(key), stop));
    NATSCOPE_TRY(StudyRow row, score(*opened, key, {}, true, listener, stop));
    row.window = what.window;
    row.lambda = what.lambda;
    return std::vector<StudyRow>{std::move(row)};
  }

  /// StreamingLLM and H2O with what the cheapest adapter holds: of the text, and of documents of every length what it
  /// holds of those.
  Expected<std::vector<StudyRow>> same_budget(const StudyListener& listener, const StopToken& stop) const {
    NATSCOPE_TRY(const auto rows, rows_of(folder, planned));
    const StudyRow* best = cheapest_adapter(rows);
    if (best == nullptr) {
      return fail(ErrorCode::bad_job,
                  printable((folder.path() / "runs").string()) +
                      ": a rows.json there lacks the row of full attention, or the window of its adapter",
                  "remove that file, and run again");
    }
    NATSCOPE_TRY(const auto opened, engine({}, stop));
    std::vector<StudyRow> made;
    for (const auto kind : {Policy::Kind::streaming, Policy::Kind::h2o}) {
      const Policy whole = policy_at_budget(kind, best->kv_fraction, options.longest);
      NATSCOPE_TRY(StudyRow row, score(*opened, budget_run, whole, false, {}, stop));
      if (!documents.empty()) {
        PasskeyAsking asking;
        asking.policy = [&](std::int64_t length) {
          return policy_at_budget(kind, fraction_of_documents(*best, length), length);
        };
        NATSCOPE_TRY(row.passkeys, score_passkeys(*opened, grid, documents, asking, stop));
      }
      if (listener.scored) listener.scored(row);
      made.push_back(std::move(row));
    }
    return made;
  }

  Expected<void> do_run(std::size_t i, const StudyListener& listener, const StopToken& stop) const {
    const std::string& key = planned[i].key;
    auto rows = i == 0                    ? full(listener, stop)
                : i + 1 == planned.size() ? same_budget(listener, stop)
                                          : adapter(key, adapters[i - 1], listener, stop);
    if (!rows) return Unexpected(std::move(rows).error());
    return folder.finish(key, *rows);
  }
};

Expected<FinetunePlan> FinetunePlan::make(FinetuneStudyOptions options) {
  NATSCOPE_TRY(const ModelFolder model, ModelFolder::open(options.model));
  NATSCOPE_CHECK(train::text_files(options.data));
  FinetunePlan plan;
  NATSCOPE_TRY(plan.options, fitted_to(model, std::move(options)));
  NATSCOPE_CHECK(StudyFolder(plan.options.out).check_study(study_json(plan.options)));
  plan.runs = planned_runs(plan.options);
  return plan;
}

FinetuneStudy::FinetuneStudy(std::unique_ptr<State> state) : state_(std::move(state)) {}
FinetuneStudy::FinetuneStudy(FinetuneStudy&&) noexcept = default;
FinetuneStudy& FinetuneStudy::operator=(FinetuneStudy&&) noexcept = default;
FinetuneStudy::~FinetuneStudy() = default;

Expected<FinetuneStudy> FinetuneStudy::open(FinetuneStudyOptions options, const StopToken& stop) {
  NATSCOPE_TRY(const ModelFolder model, ModelFolder::open(options.model));
  NATSCOPE_CHECK(train::text_files(options.data));
  auto state = std::make_unique<State>();
  NATSCOPE_TRY(state->options, fitted_to(model, std::move(options)));
  state->planned = planned_runs(state->options);
  state->adapters = adapters_of(state->options);
  state->folder = StudyFolder(state->options.out);
  NATSCOPE_CHECK(
      state->folder.begin(study_json(state->options), made_names, [&] { return state->read_texts(model, stop); }));
  return FinetuneStudy(std::move(state));
}

std::size_t FinetuneStudy::left() const {
  const auto& plan = state_->planned;
  return static_cast<std::size_t>(std::count_if(
      plan.begin(), plan.end(), [this](const PlannedRun& run) { return !state_->folder.is_done(run.key); }));
}

Expected<void> FinetuneStudy::run(const StudyListener& listener, const StopToken& stop) {
  return work_through(state_->folder, state_->planned, listener, stop,
                      [&](std::size_t i) { return state_->do_run(i, listener, stop); });
}

Expected<std::vector<StudyRow>> FinetuneStudy::rows() const { return rows_of(state_->folder, state_->planned); }

}  // namespace natscope::reproduce
