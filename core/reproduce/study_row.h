// SPDX-License-Identifier: GPL-3.0-or-later
/// One measured number pair of a study: a trained model under one cache policy.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope::reproduce {

/// Answers whose marks stand this far back.
struct AnswersAtDistance {
  std::int64_t from = 0;   ///< tokens, inclusive
  std::int64_t until = 0;  ///< exclusive
  std::int64_t answers = 0;
  std::int64_t right = 0;  ///< every token of the answer was the likeliest one
  double nll = 0;          ///< of the answers' tokens, summed
};

/// Pass keys asked for in documents of one length, hidden in one part of them.
struct PasskeyCell {
  std::int64_t length = 0;  ///< tokens of the documents
  double from = 0;          ///< depth, 0 … 1, inclusive
  double until = 0;         ///< exclusive
  std::int64_t answers = 0;
  std::int64_t right = 0;  ///< every token of the answer was the likeliest one
  std::int64_t tokens = 0;
  std::int64_t tokens_right = 0;
  double nll = 0;  ///< of the answers' tokens, summed
  /// At the last token of all documents of this length, mean: a window is more of a short one. Nothing where an earlier
  /// program measured.
  std::optional<double> kv_fraction;
};

/// Sums over the cells of a row.
struct KeysFound {
  std::int64_t answers = 0;
  std::int64_t right = 0;
  std::int64_t tokens = 0;
  std::int64_t tokens_right = 0;

  /// Of whole answers; there must be one.
  [[nodiscard]] double share() const { return static_cast<double>(right) / static_cast<double>(answers); }
};

/// Nothing where no keys were asked for.
[[nodiscard]] std::optional<KeysFound> keys_found(const std::vector<PasskeyCell>& cells);

/// A cell as it stands in rows and results.
[[nodiscard]] nlohmann::json cell_json(const PasskeyCell& cell);
/// The same in a line of csv, without its KV fraction, under these columns.
inline constexpr const char* cell_columns = "length,depth_from,depth_until,answers,right,tokens,tokens_right,nll_sum";
[[nodiscard]] std::string cell_csv(const PasskeyCell& cell);

struct StudyRow {
  std::string run;     ///< StudyRun::key
  std::string model;   ///< what it was trained with: name(TrainedWith)
  std::string policy;  ///< what it was scored under, as parse_policy takes it
  std::optional<double> lambda;
  int seed = 0;
  double perplexity = 0;
  double kv_fraction = 0;
  double paper_kv_fraction = 0;
  std::int64_t tokens = 0;  ///< predicted
  std::optional<double> global_share, local_share;
  std::optional<std::int64_t> window;      ///< W of learned score layers, where a study varies it
  std::vector<AnswersAtDistance> answers;  ///< the distance task's; else empty
  std::vector<PasskeyCell> passkeys;       ///< where a study asks for pass keys; else empty

  /// Of all answers; nothing without any.
  [[nodiscard]] std::optional<double> accuracy() const;
  [[nodiscard]] std::optional<KeysFound> keys_found() const { return reproduce::keys_found(passkeys); }
};

[[nodiscard]] nlohmann::json row_json(const StudyRow& row);
/// Errors: bad_job, naming the key.
[[nodiscard]] Expected<StudyRow> row_from_json(const nlohmann::json& json);

}  // namespace natscope::reproduce
