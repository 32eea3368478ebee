// SPDX-License-Identifier: GPL-3.0-or-later
/// What a study of fine-tuning found: table, pass-key grid and figures' numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/export/grid_chart.h"
#include "core/export/series_chart.h"
#include "core/reproduce/finetune_study.h"
#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

/// {study, kept: the cheapest adapter that keeps perplexity (null), rows: [row + full_perplexity]}.
[[nodiscard]] nlohmann::json finetune_results_json(const FinetuneStudyOptions& options,
                                                   const std::vector<StudyRow>& rows);
/// Markdown.
[[nodiscard]] std::string finetune_table(const std::vector<StudyRow>& rows);
/// A line for every model, policy, length and depth.
[[nodiscard]] std::string passkey_csv(const std::vector<StudyRow>& rows);

/// Perplexity over that of full attention against the KV fraction, a series for each W.
[[nodiscard]] SeriesChart finetune_chart(const std::vector<StudyRow>& rows);
/// Share of answers' tokens that were the likeliest: full attention, the cheapest adapter, baselines at its budget.
[[nodiscard]] GridChart passkey_chart(const std::vector<StudyRow>& rows);

}  // namespace natscope::reproduce
