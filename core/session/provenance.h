// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "core/sampling/sampler.h"
#include "kernels/element_type.h"
#include "kernels/ids.h"

namespace natscope {

/// One head's map, `L.H` in metadata and on the command line.
struct MapId {
  LayerId layer;
  HeadId head;

  friend auto operator<=>(const MapId&, const MapId&) = default;
};

/// "0.1,2.3" and back. Errors: bad_trace, naming the part that is no `L.H`.
[[nodiscard]] std::string maps_text(const std::vector<MapId>& maps);
[[nodiscard]] Expected<std::vector<MapId>> parse_maps(std::string_view text);

/// What a person set in place of what model and policy decide: a figure must not hide it.
struct SetByHand {
  std::optional<std::int64_t> window;  ///< --window
  std::string roles_sha256;            ///< roles_digest() of the file's roles; empty without one
  std::vector<ForcedRole> forced;      ///< of two for one place the later one holds

  [[nodiscard]] bool empty() const { return !window && roles_sha256.empty() && forced.empty(); }
  friend bool operator==(const SetByHand&, const SetByHand&) = default;
};

[[nodiscard]] SetByHand set_by_hand(const RolePlan& plan);

/// "W 32 set by hand, roles from a file, 2 roles set by hand"; empty where nothing was set.
[[nodiscard]] std::string in_words(const SetByHand& set);

/// Where a file's numbers come from: a trace's metadata, and what every export carries.
struct Provenance {
  std::vector<MapId> maps;             ///< maps that the file holds
  std::optional<std::int64_t> window;  ///< W in force; none without one
  std::string dtype;                   ///< as dtype_of_name takes it
  std::uint64_t seed = 0;
  std::string model_sha256;              ///< over the weight files in the order of their names
  std::string prompt_sha256;             ///< prompt_digest()
  std::string natscope_version;          ///< of the program that computed it
  std::string policy;                    ///< as parse_policy takes it, or what another program calls its method
  std::optional<std::int32_t> heads;     ///< query heads a layer
  std::optional<std::int32_t> head_dim;  ///< D: with dtype, what an entry costs
  SetByHand by_hand;
  std::optional<double> global_bias{};        ///< b of a model with score layers; not known of older files
  std::optional<SamplingOptions> sampling{};  ///< where tokens were generated; its seed is `seed`
  std::optional<std::int32_t> context{};      ///< tokens, where the model was opened for another one than its own

  friend bool operator==(const Provenance&, const Provenance&) = default;
};

/// What a run is called beside another one: "learned roles, W 16", "streaming:4,16 (2 roles set by hand)".
[[nodiscard]] std::string run_name(std::string_view policy, std::optional<std::int64_t> window, const SetByHand& set);
[[nodiscard]] std::string run_name(const Provenance& provenance);

using Metadata = std::map<std::string, std::string, std::less<>>;

/// The metadata of a trace: format, version, maps, window (empty without one), dtype, seed, model_sha256,
/// prompt_sha256, natscope_version; policy, heads, head_dim, global_bias where they are known; context where one was
/// asked for; where tokens were generated greedy, temperature, top_k, top_p, min_p, repetition_penalty; and where
/// something was set by hand set_window, set_roles_sha256, set_roles (as --force takes them, with commas between).
[[nodiscard]] Metadata trace_metadata(const Provenance& provenance);

/// Errors: bad_trace (a key of the contract that is missing or malformed). Unknown keys are ignored.
[[nodiscard]] Expected<Provenance> parse_trace_metadata(const Metadata& metadata);

/// SHA-256 of the prompt: of the text's bytes as they were given, or, for tokens, of their numbers joined by commas.
[[nodiscard]] std::string prompt_digest(std::string_view text);
[[nodiscard]] std::string prompt_digest(const std::vector<std::int32_t>& tokens);

/// SHA-256 of the bytes of `roles` U8 [layers, kv_heads, length], as a roles file holds them.
[[nodiscard]] std::string roles_digest(const RoleArray& roles);

}  // namespace natscope
