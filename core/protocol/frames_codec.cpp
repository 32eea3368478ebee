// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "core/protocol/codec.h"

/// Frames travel as columns: one byte string for every field of TokenFrame, over all frames of the message.
namespace natscope::protocol {
namespace {

constexpr std::int32_t max_frames = 1 << 16;
constexpr std::size_t max_texts = std::size_t{1} << 18U;

template <class T, class Get>
nlohmann::json column(const std::vector<TokenFrame>& frames, Get get) {
  std::vector<T> values;
  values.reserve(frames.size());
  for (const TokenFrame& frame : frames) values.push_back(static_cast<T>(get(frame)));
  return bytes_of(values);
}

/// The elements of a vector field of every frame, one after another.
template <class T, class Get>
nlohmann::json joined(const std::vector<TokenFrame>& frames, Get get) {
  std::vector<T> values;
  for (const TokenFrame& frame : frames) {
    for (const auto& element : get(frame)) values.push_back(element);
  }
  return bytes_of(values);
}

/// The sum of how many elements each frame has, or nothing when one is negative: nothing is allocated on its word.
std::optional<std::size_t> sum_of(FieldReader& in, const char* field, const std::vector<std::int32_t>& counts) {
  std::size_t sum = 0;
  for (const std::int32_t count : counts) {
    if (count < 0) {
      in.fail_field(field, "holds a negative count");
      return std::nullopt;
    }
    sum += static_cast<std::size_t>(count);
  }
  return sum;
}

void write_counts(nlohmann::json& out, const std::vector<TokenFrame>& frames) {
  out["counted_tokens"] = column<std::int64_t>(frames, [](const auto& frame) { return frame.counts.tokens; });
  out["held"] = column<std::int64_t>(frames, [](const auto& frame) { return frame.counts.entries; });
  out["dense_bytes"] = column<std::int64_t>(frames, [](const auto& frame) { return frame.counts.dense_bytes; });
  out["live_bytes"] = column<std::int64_t>(frames, [](const auto& frame) { return frame.counts.live_bytes; });
  out["allocated_bytes"] = column<std::int64_t>(frames, [](const auto& frame) { return frame.counts.allocated_bytes; });
  out["fraction"] = column<double>(frames, [](const auto& frame) { return frame.counts.fraction; });
  out["paper_fraction"] = column<double>(frames, [](const auto& frame) { return frame.counts.paper_fraction; });
}

void read_counts(FieldReader& in, std::vector<TokenFrame>& frames) {
  const std::size_t n = frames.size();
  const auto counted = in.array<std::int64_t>("counted_tokens", n);
  const auto held = in.array<std::int64_t>("held", n);
  const auto dense = in.array<std::int64_t>("dense_bytes", n);
  const auto live = in.array<std::int64_t>("live_bytes", n);
  const auto allocated = in.array<std::int64_t>("allocated_bytes", n);
  const auto fraction = in.array<double>("fraction", n);
  const auto paper = in.array<double>("paper_fraction", n);
  if (!in.ok()) return;
  for (std::size_t i = 0; i < n; ++i) {
    if (counted[i] < 0 || held[i] < 0 || dense[i] < 0 || live[i] < 0 || allocated[i] < 0) {
      in.fail_field("held", "or a number of bytes is negative");
    }
    if (!std::isfinite(fraction[i]) || !std::isfinite(paper[i])) in.fail_field("fraction", "is not finite");
    frames[i].counts = {counted[i], held[i], dense[i], live[i], allocated[i], fraction[i], paper[i]};
  }
}

void write_heads(nlohmann::json& out, const std::vector<TokenFrame>& frames) {
  out["heads"] = frames.empty() ? std::size_t{0} : frames.front().roles.size();
  out["roles"] = joined<Role>(
      frames, [](const auto& frame) -> const auto& { return frame.roles; });
  out["scores"] = joined<float>(
      frames, [](const auto& frame) -> const auto& { return frame.scores; });
  out["entries"] = joined<std::int32_t>(
      frames, [](const auto& frame) -> const auto& { return frame.entries; });
}

/// [frames, heads] roles and entries, [frames, heads, 3] scores or none.
void read_heads(FieldReader& in, std::vector<TokenFrame>& frames) {
  const std::size_t n = frames.size();
  const auto heads = static_cast<std::size_t>(in.int64("heads", 0, std::int64_t{max_layers} * max_heads));
  const auto roles = read_roles(in, "roles", n * heads);
  const auto entries = in.array<std::int32_t>("entries", n * heads);
  const auto scores = in.array<float>("scores");
  if (!scores.empty() && scores.size() != n * heads * 3) in.fail_field("scores", "does not fit the other fields");
  if (!in.ok()) return;
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i * heads);
    const auto end = static_cast<std::ptrdiff_t>((i + 1) * heads);
    frames[i].roles.assign(roles.begin() + at, roles.begin() + end);
    frames[i].entries.assign(entries.begin() + at, entries.begin() + end);
    if (!scores.empty()) frames[i].scores.assign(scores.begin() + 3 * at, scores.begin() + 3 * end);
    for (const std::int32_t count : frames[i].entries) {
      if (count < 0) in.fail_field("entries", "holds a negative count");
    }
  }
}

/// Evicted entries travel as runs of positions in one head (layer, KV head, first position, how many): behind a prompt
/// that is compressed, nearly all of it goes in one step, in every head.
constexpr std::size_t numbers_of_run = 4;

using EvictedAt = std::vector<EvictedEntry>::const_iterator;

EvictedAt end_of_run(EvictedAt first, EvictedAt end) {
  auto last = first;
  for (auto next = first + 1; next != end; last = next++) {
    const bool goes_on = next->layer == first->layer && next->kv_head == first->kv_head &&
                         next->position.value == last->position.value + 1;
    if (!goes_on) break;
  }
  return last + 1;
}

void write_lists(nlohmann::json& out, const std::vector<TokenFrame>& frames) {
  out["candidate_counts"] = column<std::int32_t>(frames, [](const auto& frame) { return frame.candidates.size(); });
  std::vector<std::int32_t> tokens;
  std::vector<float> probabilities;
  std::vector<std::int32_t> runs;  // of evicted entries, four numbers each
  std::vector<std::int32_t> run_counts;
  for (const TokenFrame& frame : frames) {
    for (const TokenCandidate& candidate : frame.candidates) {
      tokens.push_back(candidate.token);
      probabilities.push_back(candidate.probability);
    }
    const std::size_t before = runs.size();
    for (auto entry = frame.evicted.begin(); entry != frame.evicted.end();) {
      const auto end = end_of_run(entry, frame.evicted.end());
      runs.insert(runs.end(), {entry->layer.value, entry->kv_head.value, entry->position.value,
                               static_cast<std::int32_t>(end - entry)});
      entry = end;
    }
    run_counts.push_back(static_cast<std::int32_t>((runs.size() - before) / numbers_of_run));
  }
  out["candidate_tokens"] = bytes_of(tokens);
  out["candidate_probabilities"] = bytes_of(probabilities);
  out["evicted_counts"] = bytes_of(run_counts);
  out["evicted"] = bytes_of(runs);
}

void read_candidates(FieldReader& in, std::vector<TokenFrame>& frames) {
  const auto counts = in.array<std::int32_t>("candidate_counts", frames.size());
  const auto sum = sum_of(in, "candidate_counts", counts);
  if (!sum) return;
  const auto tokens = in.array<std::int32_t>("candidate_tokens", *sum);
  const auto probabilities = in.array<float>("candidate_probabilities", *sum);
  if (!in.ok()) return;
  std::size_t at = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (std::int32_t k = 0; k < counts[i]; ++k, ++at) {
      if (tokens[at] < 0) in.fail_field("candidate_tokens", "holds a negative token");
      frames[i].candidates.push_back({tokens[at], probabilities[at]});
    }
  }
}

void read_evicted(FieldReader& in, std::vector<TokenFrame>& frames) {
  const auto counts = in.array<std::int32_t>("evicted_counts", frames.size());
  const auto sum = sum_of(in, "evicted_counts", counts);
  if (!sum) return;
  const auto numbers = in.array<std::int32_t>("evicted", numbers_of_run * *sum);
  if (!in.ok()) return;
  std::size_t at = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    TokenFrame& frame = frames[i];
    // No head can have lost more than it read.
    const auto read = static_cast<std::int64_t>(frame.position.value) + 1;
    std::int64_t left = read * static_cast<std::int64_t>(frame.entries.size());
    for (std::int32_t k = 0; k < counts[i]; ++k, at += numbers_of_run) {
      const std::int32_t first = numbers[at + 2];
      const std::int32_t count = numbers[at + 3];
      left -= count;
      if (numbers[at] < 0 || numbers[at + 1] < 0 || first < 0)
        return in.fail_field("evicted", "holds a negative number");
      if (count < 1 || first + std::int64_t{count} > read || left < 0)
        return in.fail_field("evicted", "holds more positions than were read");
      for (std::int32_t position = first; position < first + count; ++position)
        frame.evicted.push_back({LayerId(numbers[at]), KvHeadId(numbers[at + 1]), TokenPos(position)});
    }
  }
}

}  // namespace

void write(nlohmann::json& out, const FramesMessage& message) {
  const auto& frames = message.frames;
  out["count"] = frames.size();
  out["first"] = frames.empty() ? 0 : frames.front().position.value;
  out["tokens"] = column<std::int32_t>(frames, [](const auto& frame) { return frame.token; });
  out["generated"] = column<std::uint8_t>(frames, [](const auto& frame) { return frame.generated ? 1 : 0; });
  out["probability"] = column<float>(frames, [](const auto& frame) { return frame.probability; });
  out["step_ms"] = column<double>(frames, [](const auto& frame) { return frame.step_ms; });
  nlohmann::json texts = nlohmann::json::array();
  for (const TokenFrame& frame : frames) texts.push_back(frame.text);
  out["text"] = std::move(texts);
  write_counts(out, frames);
  write_heads(out, frames);
  write_lists(out, frames);
  nlohmann::json names = nlohmann::json::array();
  std::vector<std::int32_t> named;
  for (const auto& [token, text] : message.texts) {
    named.push_back(token);
    names.push_back(text);
  }
  out["named_tokens"] = bytes_of(named);
  out["names"] = std::move(names);
}

void read(FieldReader& in, FramesMessage& message) {
  const auto n = static_cast<std::size_t>(in.int32("count", 0, max_frames));
  const std::int32_t first = in.int32("first", 0, max_tokens);
  const auto tokens = in.array<std::int32_t>("tokens", n);
  const auto generated = in.array<std::uint8_t>("generated", n);
  const auto probability = in.array<float>("probability", n);
  const auto step_ms = in.array<double>("step_ms", n);
  auto texts = in.texts("text", n);
  if (in.ok() && texts.size() != n) in.fail_field("text", "does not have one text a frame");
  if (!in.ok()) return;
  message.frames.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    TokenFrame& frame = message.frames[i];
    frame.position = TokenPos(first + static_cast<std::int32_t>(i));
    frame.token = tokens[i];
    frame.generated = generated[i] != 0;
    frame.probability = probability[i];
    frame.step_ms = step_ms[i];
    frame.text = std::move(texts[i]);
    if (tokens[i] < 0) in.fail_field("tokens", "holds a negative token");
    if (!std::isfinite(step_ms[i])) in.fail_field("step_ms", "is not finite");
  }
  read_counts(in, message.frames);
  read_heads(in, message.frames);
  read_candidates(in, message.frames);
  read_evicted(in, message.frames);
  auto names = in.texts("names", max_texts);
  const auto named = in.array<std::int32_t>("named_tokens", names.size());
  if (!in.ok()) return;
  for (std::size_t i = 0; i < names.size(); ++i) message.texts.emplace_back(named[i], std::move(names[i]));
}

}  // namespace natscope::protocol
