// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/session/recorded_run.h"

#include <algorithm>
#include <stdexcept>

#include "core/base/checked_math.h"
#include "core/cache/held_tally.h"

namespace natscope::test {
namespace {

constexpr CacheGeometry geometry{2, 2, 8, kernels::ElementType::f32};

}  // namespace

SequenceRecord recorded_run() {
  SequenceRecord record(geometry, true, 2);
  for (std::int32_t t = 0; t < run_tokens; ++t) {
    TokenFrame frame;
    frame.position = TokenPos(t);
    frame.token = 100 + t;
    frame.text = t % 2 == 0 ? " wörd" : "";
    frame.generated = t >= 4;
    for (std::int32_t head = 0; head < 4; ++head) {
      frame.roles.push_back(static_cast<Role>((t * 2 + head) % 3));
      frame.entries.push_back(1 + (t + head) % 3);
      for (int option = 0; option < 3; ++option)
        frame.scores.push_back(static_cast<float>(t) + 0.1F * static_cast<float>(option));
    }
    frame.counts = {t + 1, 4 + t, 1024 * (t + 1), 512, 2048, 0.5, 0.75};
    frame.probability = 0.1F;
    frame.candidates = {{t, 0.5F}, {t + 1, 0.25F}};
    if (t == 3) frame.evicted = {{LayerId(1), KvHeadId(0), TokenPos(1)}};
    frame.step_ms = 1.5 + t;
    if (const auto appended = record.append(std::move(frame)); !appended)
      throw std::runtime_error(appended.error().message);
  }
  return record;
}

SequenceRecord consistent_run(const std::vector<EvictedEntry>& dropped_after_4) {
  const SequenceRecord made_up = recorded_run();
  SequenceRecord record(made_up.geometry(), true, 2);
  std::vector<HeldTally> tallies(4, HeldTally(2));
  for (TokenFrame frame : made_up.frames()) {
    frame.evicted.clear();
    if (frame.position.value == 4) frame.evicted = dropped_after_4;
    std::int64_t held = 0;
    std::int64_t paper = 0;
    for (std::size_t head = 0; head < 4; ++head) {
      frame.entries[head] = static_cast<std::int32_t>(tallies[head].add(frame.roles[head]));
      held += frame.entries[head];
      paper += tallies[head].paper_entries();
    }
    frame.counts = count_cache(record.geometry(), frame.position.value + 1, held, 2048, paper);
    if (!record.append(frame)) throw std::runtime_error("the made-up run is refused");
  }
  return record;
}

SequenceRecord h2o_run() {
  const SequenceRecord made_up = recorded_run();
  SequenceRecord record(made_up.geometry(), false, std::nullopt);
  for (TokenFrame frame : made_up.frames()) {
    frame.evicted.clear();
    frame.scores.clear();
    const std::int32_t t = frame.position.value;
    for (std::int32_t head = 0; head < 4; ++head) {
      frame.roles[static_cast<std::size_t>(head)] = Role::global;
      const std::int32_t oldest = head == 1 && t > 3 ? t - 2 : t - 3;
      const std::int32_t dropped = head == 1 && t == 3 ? 1 : oldest;
      if (t >= 3) frame.evicted.push_back({LayerId(head / 2), KvHeadId(head % 2), TokenPos(dropped)});
      frame.entries[static_cast<std::size_t>(head)] = std::min(t + 1, 3);
    }
    if (!record.append(frame)) throw std::runtime_error("the made-up run is refused");
  }
  return record;
}

Provenance run_provenance() {
  Provenance provenance;
  provenance.window = 2;
  provenance.dtype = "float32";
  provenance.seed = 0xffff'ffff'ffff'ffffULL;
  provenance.model_sha256 = std::string(64, 'a');
  provenance.prompt_sha256 = prompt_digest("Alice");
  provenance.natscope_version = "0.1.0";
  provenance.policy = "model";
  provenance.heads = run_heads;
  provenance.head_dim = geometry.head_dim;
  return provenance;
}

Session recorded_session() {
  Session session;
  session.record = consistent_run({{LayerId(1), KvHeadId(0), TokenPos(1)}});
  session.prompt = "Alice — 日本";
  session.prompt_tokens = 4;
  session.sampling = {true, 0.1, 3, 0.9, 0.05, 1.1, 0xffff'ffff'ffff'ffffULL};
  session.max_new_tokens = 77;
  session.policy = "model";
  session.model_path = "/models/\xff-not-utf8";
  session.adapter_path = "adapters/x";
  session.provenance = run_provenance();
  session.provenance.sampling = session.sampling;  // some of it was generated
  session.follow_ups = {{4, 5}, {6, 7}};
  session.is_chat_turn = true;
  session.token_texts = {{1, "a"}, {2, ""}, {900, "é"}};
  return session;
}

float made_up_weight(const MapId& map, std::int64_t query, std::int64_t key, bool is_visible) {
  if (!is_visible) return 0;
  return (static_cast<float>(map.layer.value * 1000 + map.head.value * 100) + static_cast<float>(query) +
          0.01F * static_cast<float>(key)) /
         2048;
}

TraceContent run_trace(const SequenceRecord& record) {
  TraceContent content;
  content.record = &record;
  content.provenance = run_provenance();
  content.provenance.maps = {{LayerId(0), HeadId(1)}, {LayerId(1), HeadId(3)}};
  content.prompt_tokens = 4;
  content.with_scores = true;
  content.vocab = 5;
  content.logits = [](const TensorSink& sink) -> Expected<void> {
    for (std::int64_t t = 0; t < run_tokens; ++t) {
      const std::vector<float> row(5, static_cast<float>(t));
      NATSCOPE_CHECK(sink(std::as_bytes(std::span(row))));
    }
    return {};
  };
  content.map_rows = [&record](const MapId& map, TokenPos first, std::int64_t n, std::span<float> weights,
                               std::span<std::uint8_t> visible) -> Expected<void> {
    const auto last_query = record.last_query(map.layer, kv_head_of(map.head, run_heads, 2));
    std::size_t cell = 0;
    for (std::int64_t query = first.value; query < first.value + n; ++query) {
      for (std::int64_t key = 0; key < run_tokens; ++key, ++cell) {
        const bool seen = key == query || (key < query && query <= last_query[static_cast<std::size_t>(key)]);
        visible[cell] = seen ? 1 : 0;
        weights[cell] = made_up_weight(map, query, key, seen);
      }
    }
    return {};
  };
  return content;
}

TraceContent h2o_trace(const SequenceRecord& record) {
  TraceContent content = run_trace(record);
  content.provenance.window.reset();
  content.provenance.policy = "h2o:2,1";
  return content;
}

LooseFile LooseFile::of(const std::filesystem::path& path) {
  const auto file = SafetensorsFile::open(path);
  if (!file) throw std::runtime_error(file.error().message);
  LooseFile loose;
  loose.metadata = file->metadata();
  loose.kept.reserve(64);  // spans point into it
  for (const TensorInfo& tensor : file->tensors()) {
    loose.kept.emplace_back(tensor.data.begin(), tensor.data.end());
    loose.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, loose.kept.back(), {}});
  }
  return loose;
}

TensorToWrite& LooseFile::tensor(const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  if (found == tensors.end()) throw std::runtime_error("no tensor " + name);
  return *found;
}

void LooseFile::remove(const std::string& name) {
  std::erase_if(tensors, [&](const TensorToWrite& t) { return t.name == name; });
}

void LooseFile::fill(const std::string& name, int byte) {
  TensorToWrite& target = tensor(name);
  kept.emplace_back(target.data.size(), static_cast<std::byte>(byte));
  target.data = kept.back();
}

void LooseFile::replace(const std::string& name, DType dtype, std::vector<std::int64_t> shape) {
  TensorToWrite& target = tensor(name);
  kept.emplace_back(*checked_product(shape, item_bytes(dtype)), std::byte{0});
  target = {name, dtype, std::move(shape), kept.back(), {}};
}

void LooseFile::write(const std::filesystem::path& path) const {
  const auto written = write_safetensors(path, tensors, metadata);
  if (!written) throw std::runtime_error(written.error().message);
}

}  // namespace natscope::test
