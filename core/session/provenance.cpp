// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/provenance.h"

#include <algorithm>
#include <limits>

#include "core/base/sha256.h"
#include "core/base/utf8.h"
#include "core/cache/cache_dtype.h"
#include "core/cache/forced_pattern.h"
#include "core/cache/policy.h"
#include "core/session/metadata_reader.h"
#include "core/session/sampling_metadata.h"

namespace natscope {
namespace {

constexpr std::string_view trace_format = "natscope-trace";
constexpr std::string_view trace_version = "1";
constexpr std::int64_t most_window = std::numeric_limits<std::int32_t>::max();  // that a run can have had

Expected<MapId> parse_map(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos) {
    const auto layer = session::number_in<std::int32_t>(text.substr(0, dot));
    const auto head = session::number_in<std::int32_t>(text.substr(dot + 1));
    if (layer && head && *layer >= 0 && *head >= 0) return MapId{LayerId(*layer), HeadId(*head)};
  }
  return fail(ErrorCode::bad_trace, "“" + printable(text, 40) + "” is no map; one is written LAYER.HEAD");
}

/// Of a policy, or of another program's method: one that fits a title.
bool is_policy_or_method(std::string_view policy) {
  if (!session::is_one_line(policy)) return false;
  constexpr std::size_t longest = 100;
  return has_roles(policy) || parse_policy(policy) || (policy.size() <= longest && valid_utf8(policy));
}

Expected<SetByHand> parse_set_by_hand(const session::MetadataReader& in, const Metadata& metadata) {
  SetByHand set;
  NATSCOPE_TRY(set.window, in.optional_number<std::int64_t>("set_window", 0, most_window));
  if (const auto digest = metadata.find("set_roles_sha256"); digest != metadata.end())
    set.roles_sha256 = digest->second;
  if (const auto text = metadata.find("set_roles"); text != metadata.end()) {
    auto forced = parse_forced_roles(text->second, most_forced_roles);
    if (!forced) return in.malformed("set_roles", text->second);
    set.forced = *std::move(forced);
  }
  return set;
}

}  // namespace

SetByHand set_by_hand(const RolePlan& plan) {
  return {plan.window, plan.roles ? roles_digest(*plan.roles) : std::string(), plan.forced};
}

std::string in_words(const SetByHand& set) {
  std::string words;
  const auto add = [&words](const std::string& part) { words += (words.empty() ? "" : ", ") + part; };
  if (set.window) add("W " + std::to_string(*set.window) + " set by hand");
  if (!set.roles_sha256.empty()) add("roles from a file");
  if (set.forced.size() == 1) add("1 role set by hand");
  if (set.forced.size() > 1) add(std::to_string(set.forced.size()) + " roles set by hand");
  return words;
}

std::string run_name(std::string_view policy, std::optional<std::int64_t> window, const SetByHand& set) {
  std::string name(policy);
  if (name.empty() || name == "model") {
    name = window ? "learned roles" : "full attention";
    if (window && !set.window) name += ", W " + std::to_string(*window);  // else the words have it
  }
  const std::string words = in_words(set);
  return words.empty() ? name : name + " (" + words + ")";
}

std::string run_name(const Provenance& provenance) {
  return run_name(provenance.policy, provenance.window, provenance.by_hand);
}

std::string maps_text(const std::vector<MapId>& maps) {
  std::string text;
  for (const MapId& map : maps) {
    if (!text.empty()) text += ',';
    text += std::to_string(map.layer.value) + '.' + std::to_string(map.head.value);
  }
  return text;
}

Expected<std::vector<MapId>> parse_maps(std::string_view text) {
  std::vector<MapId> maps;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    NATSCOPE_TRY(const MapId map, parse_map(text.substr(0, comma)));
    maps.push_back(map);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return fail(ErrorCode::bad_trace, "a list of maps ends in a comma");
  }
  return maps;
}

Metadata trace_metadata(const Provenance& provenance) {
  Metadata metadata{{"format", std::string(trace_format)},
                    {"version", std::string(trace_version)},
                    {"maps", maps_text(provenance.maps)},
                    {"window", provenance.window ? std::to_string(*provenance.window) : ""},
                    {"dtype", provenance.dtype},
                    {"seed", std::to_string(provenance.seed)},
                    {"model_sha256", provenance.model_sha256},
                    {"prompt_sha256", provenance.prompt_sha256},
                    {"natscope_version", provenance.natscope_version}};
  if (!provenance.policy.empty()) metadata["policy"] = provenance.policy;
  if (provenance.heads) metadata["heads"] = std::to_string(*provenance.heads);
  if (provenance.head_dim) metadata["head_dim"] = std::to_string(*provenance.head_dim);
  if (provenance.global_bias) metadata["global_bias"] = session::exact(*provenance.global_bias);
  if (provenance.sampling) session::add_sampling(metadata, *provenance.sampling);
  if (provenance.context) metadata["context"] = std::to_string(*provenance.context);
  const SetByHand& set = provenance.by_hand;
  if (set.window) metadata["set_window"] = std::to_string(*set.window);
  if (!set.roles_sha256.empty()) metadata["set_roles_sha256"] = set.roles_sha256;
  if (!set.forced.empty()) metadata["set_roles"] = forced_roles_text(set.forced);
  return metadata;
}

Expected<Provenance> parse_trace_metadata(const Metadata& metadata) {
  const session::MetadataReader in(metadata, ErrorCode::bad_trace);
  NATSCOPE_CHECK(in.check_format(trace_format, trace_version));
  Provenance provenance;
  NATSCOPE_TRY(const std::string maps, in.text("maps"));
  NATSCOPE_TRY(provenance.maps, parse_maps(maps));
  NATSCOPE_CHECK(in.text("window"));
  NATSCOPE_TRY(provenance.window, in.optional_number<std::int64_t>("window", 0, most_window));
  NATSCOPE_TRY(provenance.dtype, in.text("dtype"));
  if (!dtype_of_name(provenance.dtype)) return in.malformed("dtype", provenance.dtype);
  NATSCOPE_TRY(provenance.seed, in.number<std::uint64_t>("seed"));
  NATSCOPE_TRY(provenance.model_sha256, in.text("model_sha256"));
  NATSCOPE_TRY(provenance.prompt_sha256, in.text("prompt_sha256"));
  NATSCOPE_TRY(provenance.natscope_version, in.text("natscope_version"));
  if (const auto policy = metadata.find("policy"); policy != metadata.end()) provenance.policy = policy->second;
  if (!is_policy_or_method(provenance.policy)) return in.malformed("policy", provenance.policy);
  NATSCOPE_TRY(provenance.heads, in.optional_number<std::int32_t>("heads", 1, 1 << 20));
  NATSCOPE_TRY(provenance.head_dim, in.optional_number<std::int32_t>("head_dim", 1, 1 << 20));
  constexpr double most = std::numeric_limits<double>::max();
  NATSCOPE_TRY(provenance.global_bias, in.optional_number<double>("global_bias", -most, most));
  if (metadata.contains("temperature")) {
    NATSCOPE_TRY(provenance.sampling, session::read_sampling(in));
    provenance.sampling->seed = provenance.seed;
  }
  NATSCOPE_TRY(provenance.context, in.optional_number<std::int32_t>("context", 1, 1 << 27));
  NATSCOPE_TRY(provenance.by_hand, parse_set_by_hand(in, metadata));
  return provenance;
}

std::string prompt_digest(std::string_view text) { return sha256_hex(text); }

std::string prompt_digest(const std::vector<std::int32_t>& tokens) {
  std::string text;
  for (const std::int32_t token : tokens) {
    if (!text.empty()) text += ',';
    text += std::to_string(token);
  }
  return sha256_hex(text);
}

std::string roles_digest(const RoleArray& roles) { return sha256_hex(std::as_bytes(std::span(roles.roles))); }

}  // namespace natscope
