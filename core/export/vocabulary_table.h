// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/explore/vocabulary_count.h"
#include "core/export/figure_table.h"
#include "core/session/token_names.h"

namespace natscope {

/// Which tokens of the vocabulary the heads keep: a row an item.
/// token, text, occurrences, global_share, local_share, sliding_share, held_share, mean_life, cache_share,
/// global_cache_share, local_cache_share, sliding_cache_share, mean_loss, life_is_cut; nothing where there is nothing
/// to say: roles under a policy without them, losses that no record has.
///   held_steps  of the whole count, which a share of the cache is of
///   policy      as parse_policy takes it
///   name_of     how a token is called that adds nothing to a text; may be empty
[[nodiscard]] FigureTable vocabulary_table(std::span<const VocabularyItem> items, std::int64_t held_steps,
                                           const std::string& policy, const TokenNames& name_of);

}  // namespace natscope
