// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/recorded_run.h"

#include <algorithm>
#include <utility>

#include "app/cli/commands/watched_prefill.h"
#include "app/cli/terminal/terminal.h"
#include "core/cache/head_checks.h"
#include "core/io/model_folder.h"
#include "core/protocol/model_description.h"

namespace natscope {

Expected<void> check_map(const MapId& map, const ModelConfig& config) {
  NATSCOPE_CHECK(check_layer(map.layer, config.layers));
  return check_head(map.head, config.heads);
}

void RecordedRunFlags::add_to(CLI::App& command) {
  text_.add_to(command);
  const std::size_t before = command.get_options().size();
  model_.add_to(command);
  policy_.add_to(command);
  sampling_.add_to(command);
  command.add_option("--max-new-tokens", max_new_tokens_, "Generate up to N tokens after the prompt")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31U))
      ->type_name("N")
      ->capture_default_str();
  add_chunk_option(command, chunk_);
  roles_.add_to(command);
  const std::vector<const CLI::Option*> all = std::as_const(command).get_options();
  run_flags_.assign(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
}

std::vector<std::string> RecordedRunFlags::flags_of_the_run() const {
  std::vector<std::string> given;
  for (const CLI::Option* flag : run_flags_) {
    if (flag->count() > 0 && !flag->check_lname("threads")) given.push_back(flag->get_name());
  }
  return given;
}

std::vector<InputFile> RecordedRunFlags::input_files() const {
  std::vector<InputFile> files = model_.input_files();
  if (const auto file = text_.file()) files.push_back({"--prompt-file", *file});
  if (!roles_.file().empty()) files.push_back({"--roles", roles_.file()});
  return files;
}

Expected<void> RecordedRunFlags::prefill(Engine& engine, const std::vector<std::int32_t>& tokens, const RunNeeds& needs,
                                         std::stop_token stop) const {
  PrefillOptions prefill;
  prefill.chunk = chunk_;
  prefill.probabilities = needs.probabilities;
  if (needs.logits) {
    prefill.on_logits = [&logits = needs.logits](TokenPos, std::int64_t, std::span<const float> rows) {
      return logits(rows);
    };
  }
  return watched_prefill(engine, tokens, std::move(prefill), std::move(stop));
}

Expected<StopReason> RecordedRunFlags::generate(Engine& engine, const SamplingOptions& sampling, const RunNeeds& needs,
                                                std::stop_token stop) const {
  ProgressBar bar("generate", "tokens");
  Expected<void> kept;
  // Where rows cannot be kept, generating more of them is for nothing.
  std::stop_source end;
  const std::stop_callback stopped(stop, [&end] { end.request_stop(); });
  std::int64_t generated = 0;
  GenerateOptions generate;
  generate.max_new_tokens = max_new_tokens_;
  generate.sampling = sampling;
  generate.candidates = 0;
  generate.on_token = [&](const TokenFrame&, std::string_view) {
    bar.update(++generated, max_new_tokens_);
    if (needs.logits && kept) kept = needs.logits(engine.logits());
    if (!kept) end.request_stop();
  };
  const auto result = engine.generate(generate, end.get_token());
  NATSCOPE_CHECK(std::move(kept));
  if (!result) return Unexpected(result.error());
  if (result->reason == StopReason::context_full) {
    bar.clear();
    note_full_context(engine, generated, max_new_tokens_);
  }
  if (result->reason == StopReason::interrupted)
    return fail(ErrorCode::interrupted, "generation was stopped after " + std::to_string(generated) + " tokens");
  return result->reason;
}

/// Of a conversation everything that stood before its last answer was given to the model, some of it by itself.
std::string RecordedRunFlags::digest_of_prompt(const RecordedRun& run) const {
  if (text_.follow_ups() == 0) return prompt_digest(text_.source_text());
  std::vector<std::int32_t> tokens;
  for (const TokenFrame& frame : run.engine->record().frames().first(static_cast<std::size_t>(run.prompt_tokens)))
    tokens.push_back(frame.token);
  return prompt_digest(tokens);
}

Expected<RecordedRun> RecordedRunFlags::run(const RunNeeds& needs,
                                            const std::function<Expected<void>(const Engine&)>& check_model,
                                            std::stop_token stop) const {
  RecordedRun done;
  // What the flags alone have wrong need not wait for the model.
  NATSCOPE_TRY(const Policy named, policy_.parsed());
  NATSCOPE_CHECK(roles_.check(named));
  EngineOptions options = model_.engine_options(needs.trace_store_bytes);
  options.layers = max_new_tokens_ > 0 ? 0 : needs.layers;
  options.stored_layer = needs.drawn_layer;
  NATSCOPE_TRY(done.engine, Engine::open(options, stop));
  Engine& engine = *done.engine;
  NATSCOPE_CHECK(check_model(engine));
  NATSCOPE_TRY(const auto sampling, sampling_.options(engine.folder().generation_defaults(), model_.seed));
  NATSCOPE_TRY(std::vector<std::int32_t> given, text_.tokens(engine));
  NATSCOPE_TRY(const std::int64_t texts, text_.tokens_with_follow_ups(engine, given));
  const auto turns = static_cast<std::int64_t>(text_.follow_ups()) + 1;
  const std::int64_t tokens = std::min<std::int64_t>(texts + turns * max_new_tokens_, engine.config().context);
  NATSCOPE_TRY(const Policy policy, policy_.policy(tokens));
  NATSCOPE_TRY(auto role_plan, roles_.plan(policy, tokens, engine.config().layers, engine.config().kv_heads));
  NATSCOPE_CHECK(engine.start(role_plan));

  for (std::size_t turn = 0;; ++turn) {
    NATSCOPE_CHECK(prefill(engine, given, needs, stop));
    done.prompt_tokens = engine.record().size();
    if (max_new_tokens_ > 0) {
      NATSCOPE_TRY(done.reason, generate(engine, sampling, needs, stop));
    }
    if (turn == text_.follow_ups()) break;
    NATSCOPE_TRY(given, text_.follow_up(engine, turn));
  }

  done.provenance.window = engine.window();
  done.provenance.dtype = dtype_name(engine.dtype());
  done.provenance.seed = model_.seed;
  done.provenance.model_sha256 = engine.folder().sha256();
  done.provenance.prompt_sha256 = digest_of_prompt(done);
  done.provenance.natscope_version = NATSCOPE_VERSION;
  done.provenance.policy = to_string(role_plan.policy);
  done.provenance.heads = engine.config().heads;
  done.provenance.head_dim = engine.config().head_dim;
  if (engine.config().nats) done.provenance.global_bias = engine.config().nats->global_bias;
  if (max_new_tokens_ > 0) done.provenance.sampling = sampling;
  if (model_.context > 0) done.provenance.context = model_.context;
  done.provenance.by_hand = set_by_hand(role_plan);
  return done;
}

}  // namespace natscope
