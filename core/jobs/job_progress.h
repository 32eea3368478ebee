// SPDX-License-Identifier: GPL-3.0-or-later
/// A job's curves: lines of progress.jsonl as plain numbers, for who writes them and who reads them.
///
/// A line is a step's, {step, loss, learning_rate, gradient_norm, tokens_per_s, eta_s, sampled, argmax}, or an
/// evaluation's, {step, evaluation: {tokens, nll, perplexity, bits_per_byte, distance, full_nll, roles, heads}}; role
/// shares are {global, local, sliding, kv_fraction}, and heads [layers][kv_heads] of them. What is absent or null is
/// absent here; unknown keys are passed over, because a newer trainer may say more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/expected.h"
#include "core/jobs/job_file.h"

namespace natscope::jobs {

struct RoleShares {
  double global = 0;  ///< shares of tokens, sum 1
  double local = 0;
  double sliding = 0;
  double kv_fraction = 0;  ///< of the cache after a segment's last token
};

struct StepPoint {
  std::int64_t step = 0;
  double loss = 0;  ///< of the batch, before the step
  std::optional<double> learning_rate;
  std::optional<double> gradient_norm;
  std::optional<double> tokens_per_s;
  std::optional<double> eta_s;
  std::optional<RoleShares> sampled;  ///< the roles of training, drawn
  std::optional<RoleShares> argmax;   ///< the roles that inference would choose
};

struct EvaluationPoint {
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  double nll = 0;
  double perplexity = 0;
  std::optional<double> bits_per_byte;
  std::optional<double> distance;   ///< of fine-tuning: the mean squared difference of the final hidden states …
  std::optional<double> full_nll;   ///< … and what full attention reaches
  std::optional<RoleShares> roles;  ///< argmax, over everything
  std::vector<std::vector<RoleShares>> heads;  ///< [layers][kv_heads]; empty without roles

  /// Mean over a layer's heads. `layer` < heads.size().
  [[nodiscard]] RoleShares layer(std::size_t layer) const;
};

using JobPoint = std::variant<StepPoint, EvaluationPoint>;

[[nodiscard]] std::int64_t step_of(const JobPoint& point);

/// The shares as an object, null without.
[[nodiscard]] nlohmann::json shares_json(const std::optional<RoleShares>& shares);
/// The point as a line; what it has not is null there.
[[nodiscard]] nlohmann::json progress_json(const JobPoint& point);

/// Errors: bad_job, saying which key of the line is wrong.
[[nodiscard]] Expected<JobPoint> parse_progress_line(std::string_view line);

struct NewPoints {
  std::vector<JobPoint> points;  ///< in the file's order; steps do not fall, but an evaluation shares its step's number
  bool restarted = false;        ///< forget the points of earlier polls: a resumed run says its last steps again
  bool more = false;             ///< poll again at once
  std::int64_t bad_lines = 0;    ///< passed over; a run that was killed may leave a cut line
  std::string problem;           ///< of the first of them
};

/// Follows progress.jsonl. One thread; cost: parsing what is new, at most FollowedFile::poll_bytes a poll.
class ProgressFollower {
 public:
  explicit ProgressFollower(const std::filesystem::path& job) : file_(job / "progress.jsonl") {}

  /// Errors: not_a_regular_file, io_failure. A file that is not there yet has no points.
  [[nodiscard]] Expected<NewPoints> poll();

 private:
  FollowedFile file_;
  std::int64_t line_ = 0;
};

}  // namespace natscope::jobs
