// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/training_progress.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/train/progress_points.h"

namespace natscope {

train::TrainListener TrainingProgress::listener() {
  train::TrainListener listener;
  listener.step = [this](const train::StepReport& report) { line_.draw(train::progress_text(report)); };
  listener.message = [this](const std::string& text) {
    end();
    std::fprintf(stderr, "%s\n", printable(text, 1000).c_str());
  };
  return listener;
}

Error error_of_rank(Error error, train::RankGroup& ranks, CommandContext& context) {
  ranks.give_up(error);
  if (ranks.leads()) return error;
  context.is_silent = ranks.is_spoken_for() || error.code == ErrorCode::interrupted;
  error.message = "rank " + std::to_string(ranks.rank()) + ": " + error.message;
  return error;
}

Expected<void> print_training_result(const train::TrainResult& result, const std::filesystem::path& job,
                                     const CommandContext& context) {
  if (!context.json) return print_text(result.model.string() + "\n");
  nlohmann::json object{
      {"model", result.model.string()},  {"job", job.string()}, {"steps", result.steps},     {"tokens", result.tokens},
      {"parameters", result.parameters}, {"loss", result.loss}, {"seconds", result.seconds}, {"evaluation", nullptr}};
  if (result.evaluation)
    object["evaluation"] =
        jobs::progress_json(train::progress_point(*result.evaluation, result.kv_heads))["evaluation"];
  return print_json(object);
}

}  // namespace natscope
