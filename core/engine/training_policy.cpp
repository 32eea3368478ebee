// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/training_policy.h"

#include <nlohmann/json.hpp>

#include "core/cache/policy.h"
#include "core/io/model_folder.h"
#include "core/json/json_limits.h"

namespace natscope {

std::optional<std::string> training_policy(const ModelFolder& folder) {
  const auto config = read_json_file(folder.path() / "config.json");
  if (!config || !config->is_object()) return {};
  const auto block = config->find("natscope");
  if (block == config->end() || !block->is_object()) return {};
  const auto policy = block->find("training_policy");
  if (policy == block->end() || !policy->is_string()) return {};
  // Only what --policy would take is repeated.
  const auto parsed = parse_policy(policy->get_ref<const std::string&>());
  if (!parsed) return {};
  return to_string(*parsed);
}

}  // namespace natscope
