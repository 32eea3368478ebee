// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/held_out.h"

#include <algorithm>
#include <numbers>

namespace natscope::train {

namespace {

std::size_t segments_in(const Corpus& text, std::size_t context) {
  const std::size_t tokens = text.tokens().size();
  return tokens == 0 ? 0 : (tokens - 1) / context;
}

}  // namespace

Expected<void> check_held_out(const Corpus& text, std::int64_t context) {
  if (segments_in(text, static_cast<std::size_t>(context)) > 0) return {};
  return fail(ErrorCode::bad_data, "the held-out text is shorter than one segment", "add text, or lower --context");
}

Expected<Evaluation> evaluate_held_out(TrainingModel& model, const ModelConfig& config, int micro_batch,
                                       const Corpus& text, const Tokenizer& tokenizer, int segments,
                                       const StopToken& stop) {
  const auto context = static_cast<std::size_t>(config.context);
  const std::span<const std::uint16_t> tokens = text.tokens();
  NATSCOPE_CHECK(check_held_out(text, config.context));
  const std::size_t available = segments_in(text, context);
  const std::size_t wanted = std::min(available, static_cast<std::size_t>(segments));
  const auto batch = static_cast<std::size_t>(micro_batch);
  std::vector<std::int32_t> inputs(batch * context);
  std::vector<std::int32_t> targets(batch * context);
  Evaluation evaluation;
  double nll = 0.0;
  std::size_t bytes = 0;
  for (std::size_t first = 0; first < wanted; first += batch) {
    const std::size_t counted = std::min(batch, wanted - first);
    for (std::size_t i = 0; i < batch; ++i) {
      // A last group that is not full is filled with segments that nobody counts.
      const std::size_t segment = (first + std::min(i, counted - 1)) * available / wanted;
      for (std::size_t n = 0; n < context; ++n) {
        inputs[i * context + n] = tokens[segment * context + n];
        const std::int32_t next = tokens[segment * context + n + 1];
        targets[i * context + n] = i < counted ? next : -1;
        if (i < counted) bytes += tokenizer.piece_bytes(next).size();
      }
    }
    NATSCOPE_TRY(const PassResult pass, model.evaluate({inputs, targets}, static_cast<int>(counted), stop));
    nll += pass.nll;
    evaluation.tokens += pass.tokens;
    evaluation.roles.add(pass.argmax);
  }
  evaluation.nll = nll / static_cast<double>(evaluation.tokens);
  evaluation.bits_per_byte = bytes == 0 ? 0.0 : nll / std::numbers::ln2 / static_cast<double>(bytes);
  evaluation.has_roles = config.nats.has_value();
  return evaluation;
}

}  // namespace natscope::train
