// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/memory_forecast.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/regular_file.h"
#include "core/base/utf8.h"
#include "core/io/model_folder.h"
#include "core/train/distillation/distillation_model.h"
#include "core/train/text/corpus.h"
#include "core/train/weights/finetune_layout.h"

namespace natscope::train {

namespace {

constexpr std::int64_t f32_bytes = 4;
/// The program with LibTorch's libraries. Fitted, with the coefficients below, to peaks of resident memory of runs of
/// 2 to 24 layers and hidden 256 to 1024; tests/bench/memory_forecast.py holds it to them.
constexpr std::int64_t program_bytes = 145LL << 20U;

/// Those of --data and --valid; none where they cannot be looked at.
std::vector<std::filesystem::path> files_that_are_read(const FinetuneOptions& options) {
  std::vector<std::filesystem::path> all;
  for (const std::filesystem::path& folder : {options.data, options.valid}) {
    const auto files = folder.empty() ? Expected<std::vector<std::filesystem::path>>() : text_files(folder);
    if (files) all.insert(all.end(), files->begin(), files->end());
  }
  return all;
}

std::int64_t size_of(const std::filesystem::path& file) {
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(file, problem);
  return problem ? 0 : static_cast<std::int64_t>(size);
}

/// Enough of a text to tell how many bytes its tokens have, in whole characters; empty where it cannot be read.
std::string beginning_of(const std::filesystem::path& path) {
  const auto file = open_regular_file(path);
  if (!file) return {};
  std::string text(std::size_t{64} << 10U, '\0');
  const ssize_t got = ::read(file->descriptor.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  text.resize(complete_prefix_length(text));
  return text;
}

}  // namespace

std::int64_t MemoryForecast::total_bytes() const {
  std::int64_t sum = 0;
  for (const auto& [name, bytes] : parts) sum += bytes;
  return sum;
}

std::string MemoryForecast::text() const {
  std::string lines = std::string(on_gpu ? "Forecast of the GPU's memory" : "Memory forecast") + " for documents of " +
                      std::to_string(tokens) + " tokens\n";
  const auto add = [&](const std::string& name, std::int64_t bytes) {
    char line[120];
    std::snprintf(line, sizeof line, "  %-44s %10.1f MiB\n", name.c_str(), static_cast<double>(bytes) / 1048576.0);
    lines += line;
  };
  for (const auto& [name, bytes] : parts) add(name, bytes);
  add("all together", total_bytes());
  if (on_gpu) lines += "Without CUDA's own context. No run on a GPU was held to this yet.\n";
  return lines;
}

std::int64_t text_bytes(const FinetuneOptions& options) {
  std::int64_t bytes = 0;
  for (const std::filesystem::path& file : files_that_are_read(options)) bytes += size_of(file);
  return bytes;
}

std::int64_t sampled_text_tokens(const FinetuneOptions& options, const Tokenizer& tokenizer) {
  constexpr std::size_t most_files = 8;
  const std::vector<std::filesystem::path> files = files_that_are_read(options);
  double bytes = 0;
  double tokens = 0;
  for (std::size_t n = 0; n < std::min(files.size(), most_files); ++n) {
    const std::string text = beginning_of(files[n * files.size() / std::min(files.size(), most_files)]);
    const auto encoded = tokenizer.encode(text);
    if (!encoded) continue;
    bytes += static_cast<double>(text.size());
    tokens += static_cast<double>(encoded->size());
  }
  constexpr double usual_bytes_a_token = 3;
  const double a_byte = bytes > 0 ? tokens / bytes : 1 / usual_bytes_a_token;
  return static_cast<std::int64_t>(a_byte * static_cast<double>(text_bytes(options)));
}

MemoryForecast forecast_memory(const ModelConfig& c, const FinetuneOptions& options, Device device,
                               const ForecastInputs& inputs) {
  MemoryForecast forecast;
  forecast.on_gpu = device == Device::cuda;
  const std::int64_t t = forecast.tokens = longest_document(options, c.context);
  const std::int64_t rows = std::min<std::int64_t>(t, options.rows);
  const std::int64_t e = c.hidden, q = c.q_rows(), kv = c.kv_rows(), i = c.intermediate;
  const std::int64_t trained = finetune_layout(c, options).size;

  if (!forecast.on_gpu) forecast.parts.emplace_back("program and libraries", program_bytes);
  forecast.parts.emplace_back(forecast.on_gpu ? "base weights" : "base weights, mapped", inputs.stored_bytes);
  // While it is read, and its tokens twice. Of a GPU's memory it takes none.
  constexpr std::int64_t bytes_of_token = 2 * sizeof(std::int32_t);
  if (!forecast.on_gpu)
    forecast.parts.emplace_back("text and its tokens", inputs.text_bytes + bytes_of_token * inputs.text_tokens);
  // Copies in ordinary memory: the run's state, the student's own, gradient, two moments; and what a checkpoint is read
  // back for. A GPU has the student's own, gradient and moments; the run's state stays in ordinary memory.
  const std::int64_t copies = forecast.on_gpu ? 4 : 7;
  forecast.parts.emplace_back("trained weights, gradient, AdamW's moments", copies * trained * f32_bytes);
  forecast.parts.emplace_back("layer inputs kept for the backward pass", (c.layers + 5) * t * e * f32_bytes);
  // Of one layer's attention: norm (two), q, k, v as they are made, rotated and as the operation keeps them, their
  // gradients, its output (twice), scores; what autograd holds between. kv: of keys and values together.
  // In ordinary memory these pieces, freed and asked for again, leave gaps: an eighth more is what the largest of runs
  // with differently cut heaps had.
  const std::int64_t of_attention = t * (8 * e + 11 * q + 7 * kv + 4 * c.score_rows()) * f32_bytes;
  const std::int64_t attention = forecast.on_gpu ? of_attention : of_attention * 9 / 8;
  // Of one piece of the feed-forward part: norm, gate, up, their product, silu, and the gradients of these. It is gone
  // when the attention's gradients are made; of long documents those weigh more, and four fifths are what runs showed.
  const std::int64_t feed_forward = rows * (5 * e + 7 * i) * f32_bytes * (t > rows ? 4 : 5) / 5;
  forecast.parts.emplace_back("inside of one layer", attention + feed_forward);
  // What is stored otherwise than products read it is converted while a layer uses it; the larger of its two halves
  // counts.
  const bool in_f32 = options.dtype == kernels::ElementType::f32;
  const bool as_stored = forecast.on_gpu && !in_f32 ? inputs.stored_as == "bfloat16" && options.trained != Trained::all
                                                    : inputs.stored_as == "float32" && in_f32;
  const std::int64_t converted_bytes = forecast.on_gpu && !in_f32 ? 2 : f32_bytes;
  const std::int64_t widened = as_stored ? 0 : std::max(e * (2 * q + 2 * kv), 3 * e * i) * converted_bytes;
  forecast.parts.emplace_back("matrices of one layer in the type of products", widened);
  if (options.valid.empty()) return forecast;
  // Nothing is kept for a backward pass then: hidden states of teacher and student, and a block of logits.
  const std::int64_t head = as_stored ? 0 : std::int64_t{c.vocab} * e * converted_bytes;
  const std::int64_t held_out = head + 2 * DistillationModel::logit_rows * c.vocab * f32_bytes + 3 * t * e * f32_bytes;
  const std::int64_t of_training = (c.layers + 5) * t * e * f32_bytes + attention + feed_forward + widened;
  if (held_out > of_training)
    forecast.parts.emplace_back("losses of held-out text, beyond that", held_out - of_training);
  return forecast;
}

Expected<MemoryForecast> forecast_memory(const FinetuneOptions& options) {
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(options.model));
  return forecast_memory(base.config(), options, options.device,
                         {static_cast<std::int64_t>(base.weight_bytes()), base.weight_dtype(), text_bytes(options),
                          sampled_text_tokens(options, base.tokenizer())});
}

}  // namespace natscope::train
