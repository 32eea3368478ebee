// SPDX-License-Identifier: GPL-3.0-or-later
/// A prompt and its generation under a plan of roles, recorded: what trace and export begin with.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "app/cli/flags/input_files.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/flags/role_flags.h"
#include "app/cli/flags/sampling_flags.h"
#include "app/cli/flags/text_flags.h"
#include "core/base/expected.h"
#include "core/session/provenance.h"

namespace natscope {

/// The run once it is over; the engine holds its record and can still draw maps of it.
struct RecordedRun {
  std::unique_ptr<Engine> engine;
  Provenance provenance;           ///< without maps
  std::int64_t prompt_tokens = 0;  ///< all that stood before what was generated last
  StopReason reason = StopReason::max_new_tokens;
};

/// What is wanted of a run.
struct RunNeeds {
  std::int64_t trace_store_bytes = 0;
  /// Only so many of the model's first layers, 0 for all; those above are left out where nothing is generated.
  std::int32_t layers = 0;
  /// The one layer whose map is drawn; unset: those of all of them.
  std::optional<LayerId> drawn_layer{};
  bool probabilities = false;  ///< of the prompt's tokens, too: their losses
  /// Receives logits rows [n, vocab] f32 in the order of positions, the last token's included.
  std::function<Expected<void>(std::span<const float> rows)> logits{};
};

class RecordedRunFlags {
 public:
  void add_to(CLI::App& command);

  [[nodiscard]] bool has_text() const { return text_.given() || text_.is_chat() || text_.follow_ups() > 0; }
  /// Flags that were given and decide what a run is, as typed ("--policy"): not the text, and not --threads, which
  /// changes nothing of it.
  [[nodiscard]] std::vector<std::string> flags_of_the_run() const;

  /// Files that a run reads, for check_not_input.
  [[nodiscard]] std::vector<InputFile> input_files() const;

  /// `check_model` sees the engine before anything runs: layers and heads that the model does not have fail early.
  /// Errors: those of opening, tokenizing, the plan and the run; bad_roles (a roles file shorter than prompt and
  /// generation); interrupted.
  [[nodiscard]] Expected<RecordedRun> run(const RunNeeds& needs,
                                          const std::function<Expected<void>(const Engine&)>& check_model,
                                          std::stop_token stop) const;

 private:
  [[nodiscard]] Expected<void> prefill(Engine& engine, const std::vector<std::int32_t>& tokens, const RunNeeds& needs,
                                       std::stop_token stop) const;
  [[nodiscard]] Expected<StopReason> generate(Engine& engine, const SamplingOptions& sampling, const RunNeeds& needs,
                                              std::stop_token stop) const;
  [[nodiscard]] std::string digest_of_prompt(const RecordedRun& run) const;

  std::vector<const CLI::Option*> run_flags_;
  ModelFlags model_;
  TextFlags text_;
  SamplingFlags sampling_;
  PolicyFlag policy_;
  RoleFlags roles_;
  std::int64_t max_new_tokens_ = 0;
  std::int64_t chunk_ = 512;
};

/// Whether the model has this layer and query head. Errors: bad_layer, bad_head.
[[nodiscard]] Expected<void> check_map(const MapId& map, const ModelConfig& config);

}  // namespace natscope
