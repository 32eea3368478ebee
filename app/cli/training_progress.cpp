// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/training_progress.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/terminal.h"
#include "core/train/progress_json.h"

namespace natscope {

TrainingProgress::TrainingProgress() : terminal_(stderr_is_terminal()) {}

train::TrainListener TrainingProgress::listener() {
  train::TrainListener listener;
  listener.step = [this](const train::StepReport& report) { step(report); };
  listener.message = [this](const std::string& text) {
    end();
    std::fprintf(stderr, "%s\n", printable(text, 1000).c_str());
  };
  return listener;
}

void TrainingProgress::step(const train::StepReport& report) {
  const std::string line = train::progress_text(report);
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  const auto columns = static_cast<std::size_t>(std::max(20, terminal_columns() - 1));
  std::fprintf(stderr, "\r\x1b[K%s", line.substr(0, columns).c_str());
  drawn_ = true;
}

void TrainingProgress::end() {
  if (drawn_) std::fprintf(stderr, "\n");
  drawn_ = false;
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
  if (result.evaluation) object["evaluation"] = train::progress_json(*result.evaluation, result.kv_heads)["evaluation"];
  return print_json(object);
}

}  // namespace natscope
