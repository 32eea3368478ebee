// SPDX-License-Identifier: GPL-3.0-or-later
/// What `reproduce scratch` trains and measures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/train/options/train_options.h"

namespace natscope::reproduce {

/// What the models are trained on and asked for.
enum class StudyTask {
  books,     ///< the text as it is
  distance,  ///< the text with marks strewn in (distance_text.h)
};
[[nodiscard]] const char* name(StudyTask task);

struct StudyOptions {
  std::filesystem::path data;  ///< training text: a folder of *.txt files, or one file
  std::filesystem::path test;  ///< the same, never trained on
  std::filesystem::path out;   ///< folder of the study: its runs, table, figure
  std::string size = "overnight";
  StudyTask task = StudyTask::books;
  std::vector<double> lambdas{0.0, 1e-9, 5e-9, 1e-8, 1e-7};  ///< the paper's, in the paper's scale
  int seeds = 3;
  std::int64_t steps = 0;        ///< of every training; 0: as the size says
  std::int64_t test_tokens = 0;  ///< that a model is scored on; 0: as the size says
  double score_init = train::default_score_init;
  int threads = 0;  ///< 0: all
};

/// Shape and schedule behind a size's name. Options of a training that it does not name keep their defaults.
struct StudySize {
  const char* name;
  const char* what;  ///< for people
  int layers, hidden, heads, kv_heads, vocab, context, window, batch, warmup_steps;
  double learning_rate;
  std::int64_t steps, test_tokens;
};
[[nodiscard]] std::span<const StudySize> study_sizes();

/// Fills in what was left to the size, sorts λ and drops repeats. Errors: usage (an unknown size, no λ, numbers out of
/// range), naming the flag.
[[nodiscard]] Expected<StudyOptions> resolve(StudyOptions options);
/// What the study of a folder was begun with, as its study.json says; the given options where there is none.
/// Errors: bad_job (it names no study of this kind), those of files.
[[nodiscard]] Expected<StudyOptions> recall(StudyOptions options);
/// The size of resolved options.
[[nodiscard]] const StudySize& size_of(const StudyOptions& options);

/// A training of the study; what the run itself decides (seed, λ, mask, folders) is left open.
[[nodiscard]] train::TrainOptions training_of(const StudyOptions& options);

/// What decides the study's numbers, for study.json: a folder is only gone on with by the same.
[[nodiscard]] nlohmann::json study_json(const StudyOptions& options);

}  // namespace natscope::reproduce
