// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ids.h"
#include "kernels/views.h"

/// What a cache keeps that drops what is little attended to: the rule, and what it is about entries that have scores.
/// Source: the rules, section 11; H2O (arXiv 2306.14048), TOVA (arXiv 2401.06104), SnapKV (arXiv 2404.14469), PyramidKV
/// (arXiv 2406.02069), Ada-KV (arXiv 2407.11550).
namespace natscope::kernels {

/// What attention weights an entry's score adds up.
enum class EntryScores : std::uint8_t {
  of_all_queries,  ///< all so far, of the head's group (H2O)
  of_last_query,   ///< the last one's, of all heads of the layer, which so keep the same positions (TOVA)
  of_prompt_end,  ///< those of a prompt's last `recent` queries, of the head's group; pooled before they count (SnapKV)
};

/// Who may keep how many of the heavy entries, where `heavy` is the mean of a head.
enum class BudgetSpread : std::uint8_t {
  even,      ///< every head as many
  by_layer,  ///< the first layers more than the last ones (PyramidKV: heavy_of_layer)
  by_score,  ///< those of a layer more whose scores are higher (Ada-KV: heavy_of_heads)
};

/// The positions of the last `recent` stay, and of the others those with the `heavy` highest scores, ties to the
/// earlier position. Both at least 0.
///
///   H2O     after every token, so that one makes an entry go at most
///   TOVA    likewise; all of its SIZE are heavy, the newest one, too
///   SnapKV  once, behind the last token of a prompt: the queries of its WINDOW, the recent ones, are those whose
///           weights count, and SIZE − WINDOW are heavy; before and behind it nothing goes. PyramidKV and Ada-KV spread
///           them otherwise over layers and heads
struct ScoreRule {
  std::int64_t heavy = 0;
  std::int64_t recent = 0;
  EntryScores scores = EntryScores::of_all_queries;
  BudgetSpread spread = BudgetSpread::even;
};
/// In the place of the position that goes: none does, or none is known.
inline constexpr std::int32_t no_drop = -1;

/// How many neighbours SnapKV takes the mean over, an odd number: `kernel_size = 5, pooling = 'avgpool'`, what its
/// authors' code has where nothing is set (FasterDecoding/SnapKV, snapkv/monkeypatch/snapkv_utils.py, init_snapkv).
inline constexpr std::int32_t pooled_positions = 5;

/// Each score becomes the mean of those of the pooled_positions positions around it. What lies outside counts as 0, as
/// in that code, so that the mean of the first and last ones is lower.
///   scores [n] of positions that follow each other: all before the recent ones
void pool_scores(std::span<float> scores);

/// How much less than the mean the last layer keeps at most: a twentieth, `beta = 20` where nothing is set
/// (Zefan-Cai/PyramidKV, pyramidkv/pyramidkv_utils.py, PyramidKVCluster).
inline constexpr std::int64_t pyramid_beta = 20;

/// How many heavy entries each head of a layer keeps under PyramidKV: on a line from 2 · heavy − heavy / 20 in the
/// first layer (or all `older`, if that is less) down to what makes the mean of all layers `heavy`. As many in every
/// layer while a prompt is shorter than twice `heavy`.
///   older   entries that are not recent, over `heavy`
///   recent  of the rule: with `older` the prompt's length
[[nodiscard]] std::int64_t heavy_of_layer(std::int64_t heavy, std::int64_t older, std::int64_t recent, LayerId layer,
                                          std::int32_t layers);

/// A head's own share under Ada-KV, whatever the others' scores: a fifth, `floor_alpha = 0.2` of its authors and
/// `alpha_safeguard` of others (NVIDIA/kvpress, kvpress/presses/adakv_press.py).
inline constexpr std::int64_t adaptive_floor_divisor = 5;

/// How many heavy entries each head of a layer keeps under Ada-KV: heavy / 5 of its own, and of all that are left in
/// the layer those with the highest scores, until there are heads · heavy; ties to the earlier position, then to the
/// first head.
///   scores [heads, older] by position, older >= heavy
[[nodiscard]] std::vector<std::int64_t> heavy_of_heads(ConstView<float, 2> scores, std::int64_t heavy);

/// The slots of entries that go after query `now`, in no order. positions, scores [entries], by slot.
[[nodiscard]] std::vector<SlotId> slots_that_go(std::span<const std::int32_t> positions, std::span<const float> scores,
                                                TokenPos now, std::int64_t heavy, std::int64_t recent);

}  // namespace natscope::kernels
