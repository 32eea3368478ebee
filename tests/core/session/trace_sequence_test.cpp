// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/trace_sequence.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/explore/run_figures.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/processor_time.h"
#include "tests/support/temporary_folder.h"

namespace natscope::test {
namespace {

std::filesystem::path written(const TemporaryFolder& folder, const TraceContent& content) {
  const auto path = folder / "run.safetensors";
  REQUIRE(write_trace(path, content));
  return path;
}

}  // namespace

TEST_CASE("a trace reads back as the sequence that it was made of") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  const auto trace = TraceFile::open(written(folder, run_trace(run)));
  REQUIRE(trace);
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE(session);
  const SequenceRecord& record = session->record;
  REQUIRE(record.size() == run.size());
  CHECK(session->prompt_tokens == 4);
  CHECK(session->policy == "model");
  CHECK(session->provenance == trace->provenance());
  for (std::int32_t t = 0; t < record.size(); ++t) {
    const TokenFrame& frame = record.frame(TokenPos(t));
    const TokenFrame& before = run.frame(TokenPos(t));
    CHECK(frame.token == before.token);
    CHECK(frame.roles == before.roles);
    CHECK(frame.entries == before.entries);
    CHECK(frame.scores == before.scores);
    CHECK(frame.generated == (t >= 4));
    CHECK(frame.probability == before.probability);
    CHECK(frame.counts.allocated_bytes == before.counts.allocated_bytes);
    std::int64_t held = 0;
    for (const std::int32_t count : before.entries) held += count;
    CHECK(frame.counts.entries == held);
    CHECK(frame.counts.live_bytes == held * 2 * 8 * 4);
    CHECK(frame.counts.dense_bytes == (t + 1) * 4 * 2 * 8 * 4);
  }
}

TEST_CASE("a trace under H2O that does not say what was dropped is kept and saved like any other") {
  const TemporaryFolder folder;
  LooseFile file = LooseFile::of(written(folder, h2o_trace(h2o_run())));
  file.remove("evicted");
  file.remove("evicted_ends");
  file.write(folder / "changed.safetensors");
  const auto trace = TraceFile::open(folder / "changed.safetensors");
  REQUIRE(trace);
  const auto kept = session_of(*trace, std::nullopt);
  REQUIRE(kept);
  Session session = recorded_session();
  session.kept = std::make_shared<const Session>(*kept);
  REQUIRE(write_session(folder / "session.safetensors", session));
  const auto back = read_session(folder / "session.safetensors");
  REQUIRE(back);
  REQUIRE(back->kept);
  CHECK(back->kept->record.size() == kept->record.size());
  CHECK_FALSE(back->kept->knows_drops);
}

TEST_CASE("the paper's figure counts W whole where the run did") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  const auto counts_window = [&](const auto& change) {
    LooseFile file = LooseFile::of(written(folder, run_trace(run)));
    file.remove("scores");
    change(file.metadata);
    file.write(folder / "changed.safetensors");
    const auto trace = TraceFile::open(folder / "changed.safetensors");
    REQUIRE(trace);
    const auto session = session_of(*trace, std::nullopt);
    REQUIRE(session);
    const CacheCounts& counts = session->record.frame(TokenPos(0)).counts;
    CHECK(counts.fraction <= 1);
    return counts.paper_fraction > counts.fraction;
  };
  CHECK(counts_window([](Metadata&) {}));
  CHECK(counts_window([](Metadata& metadata) {
    metadata["policy"] = "window:2";
    metadata["global_bias"] = "0";
  }));
  CHECK_FALSE(counts_window([](Metadata& metadata) { metadata["policy"] = "full"; }));
  // A model without score layers counts what it holds, whatever the policy.
  CHECK_FALSE(counts_window([](Metadata& metadata) { metadata["policy"] = "window:2"; }));
  // Roles and W set by hand: of a model with score layers, and of one without.
  const auto set_window = [](Metadata& metadata) { metadata["set_window"] = "2"; };
  CHECK_FALSE(counts_window(set_window));
  CHECK(counts_window([&](Metadata& metadata) {
    set_window(metadata);
    metadata["global_bias"] = "0.1";
  }));
}

TEST_CASE("a trace of an earlier version holds no probabilities") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  LooseFile file = LooseFile::of(written(folder, run_trace(run)));
  file.remove("probability");
  file.write(folder / "old.safetensors");
  const auto trace = TraceFile::open(folder / "old.safetensors");
  REQUIRE(trace);
  CHECK(trace->probability().empty());
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE(session);
  for (const TokenFrame& frame : session->record.frames()) CHECK_FALSE(token_loss(frame).has_value());
}

TEST_CASE("a trace keeps how its tokens read; one of an earlier version shows ids") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  TraceContent content = run_trace(run);
  content.name_of = [](std::int32_t token) { return "<" + std::to_string(token) + "\n\">"; };
  const auto path = written(folder, content);
  const auto trace = TraceFile::open(path);
  REQUIRE(trace);
  CHECK(trace->token_texts().size() == 7);
  CHECK(trace->token_names() ==
        std::map<std::int32_t, std::string>{{101, "<101\n\">"}, {103, "<103\n\">"}, {105, "<105\n\">"}});
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE(session);
  CHECK(session->token_texts == trace->token_names());
  for (std::int32_t t = 0; t < run_tokens; ++t)
    CHECK(session->record.frame(TokenPos(t)).text == run.frame(TokenPos(t)).text);
  // They are no part of where a figure comes from.
  CHECK_FALSE(trace_metadata(trace->provenance()).contains("token_texts"));

  LooseFile old = LooseFile::of(path);
  old.metadata.erase("token_texts");
  old.write(folder / "old.safetensors");
  const auto without = TraceFile::open(folder / "old.safetensors");
  REQUIRE(without);
  CHECK(without->token_texts().empty());
  CHECK(session_of(*without, std::nullopt)->record.frame(TokenPos(2)).text == "‹102› ");
}

TEST_CASE("a trace that contradicts itself is refused") {
  const TemporaryFolder folder;
  const auto refused = [&](const SequenceRecord& run) {
    const auto trace = TraceFile::open(written(folder, run_trace(run)));
    REQUIRE(trace);
    const auto session = session_of(*trace, std::nullopt);
    REQUIRE_FALSE(session);
    CHECK(session.error().code == ErrorCode::bad_trace);
    return session.error().message;
  };
  CHECK(refused(recorded_run()).find("kv_entries") != std::string::npos);

  const SequenceRecord run = consistent_run();
  TraceContent content = run_trace(run);
  content.provenance.window.reset();
  auto trace = TraceFile::open(written(folder, content));
  REQUIRE(trace);
  CHECK(session_of(*trace, std::nullopt).error().message.find("window") != std::string::npos);

  LooseFile loose = LooseFile::of(written(folder, run_trace(run)));
  loose.fill("scores", 0xff);  // not a number
  loose.write((folder / "bad.safetensors"));
  trace = TraceFile::open((folder / "bad.safetensors"));
  REQUIRE(trace);
  CHECK(session_of(*trace, std::nullopt).error().message.find("scores") != std::string::npos);
}

TEST_CASE("H2O: a trace holds when each entry was dropped") {
  const TemporaryFolder folder;
  const SequenceRecord run = h2o_run();
  const auto path = written(folder, h2o_trace(run));
  const auto trace = TraceFile::open(path);
  REQUIRE(trace);
  CHECK(knows_what_is_held(*trace));
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE_MESSAGE(session, session.error().message);
  for (std::int32_t head = 0; head < 4; ++head) {
    const auto read = session->record.last_query(LayerId(head / 2), KvHeadId(head % 2));
    const auto kept = run.last_query(LayerId(head / 2), KvHeadId(head % 2));
    CHECK(std::vector(read.begin(), read.end()) == std::vector(kept.begin(), kept.end()));
  }
  for (std::int32_t t = 0; t < run_tokens; ++t)
    CHECK(session->record.frame(TokenPos(t)).evicted == run.frame(TokenPos(t)).evicted);

  // Counts that what was dropped does not leave.
  LooseFile loose = LooseFile::of(path);
  loose.replace("kv_entries", DType::i32, {run_tokens, 2, 2});
  loose.write(folder / "bad.safetensors");
  const auto bad = TraceFile::open(folder / "bad.safetensors");
  REQUIRE(bad);
  CHECK(session_of(*bad, std::nullopt).error().message.find("evicted") != std::string::npos);
  // Where roles say what is held, nothing is written of it.
  const SequenceRecord with_roles = consistent_run();
  CHECK(SafetensorsFile::open(written(folder, run_trace(with_roles)))->find("evicted") == nullptr);
}

TEST_CASE("another program's method: what it dropped, in a cache of half precision that nobody measured") {
  const TemporaryFolder folder;
  const SequenceRecord run = h2o_run();
  LooseFile loose = LooseFile::of(written(folder, h2o_trace(run)));
  loose.metadata["policy"] = "SnapKV 512";
  loose.metadata["dtype"] = "float16";
  loose.metadata["head_dim"] = "8";
  loose.fill("kv_allocated_bytes", 0);
  loose.write(folder / "other.safetensors");
  const auto trace = TraceFile::open(folder / "other.safetensors");
  REQUIRE(trace);
  CHECK(knows_what_is_held(*trace));
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE_MESSAGE(session, session.error().message);
  CHECK(session->policy == "SnapKV 512");
  CHECK_FALSE(session->record.knows_allocated());
  const CacheCounts& counts = session->record.frames().back().counts;
  CHECK(counts.live_bytes == counts.entries * 2 * 8 * 2);
  CHECK(counts.paper_fraction == counts.fraction);
  CHECK(session->record.last_query(LayerId(0), KvHeadId(0))[0] == run.last_query(LayerId(0), KvHeadId(0))[0]);

  // As a session it is written and read like any other.
  REQUIRE(write_session(folder / "session.safetensors", *session));
  const auto again = read_session(folder / "session.safetensors");
  REQUIRE_MESSAGE(again, again.error().message);
  CHECK(again->policy == "SnapKV 512");
  CHECK(again->record.geometry().dtype == kernels::ElementType::f16);
}

TEST_CASE("H2O by an earlier version: recorded counts stand, and a recorded map says what was dropped") {
  const TemporaryFolder folder;
  SequenceRecord run = consistent_run({{LayerId(0), KvHeadId(0), TokenPos(0)}});
  TraceContent content = run_trace(run);
  content.provenance.policy = "h2o:2,2";
  LooseFile loose = LooseFile::of(written(folder, content));
  loose.remove("evicted");
  loose.remove("evicted_ends");
  loose.write(folder / "old.safetensors");
  const auto trace = TraceFile::open(folder / "old.safetensors");
  REQUIRE(trace);
  CHECK_FALSE(knows_what_is_held(*trace));  // maps of two of the four KV heads
  const auto session = session_of(*trace, std::nullopt);
  REQUIRE(session);
  CHECK(session->record.frames().back().entries == run.frames().back().entries);
  // Map 0.1 shows KV head 0 of layer 0: its keys have the mask's last queries.
  const auto last = session->record.last_query(LayerId(0), KvHeadId(0));
  const auto expected = run.last_query(LayerId(0), KvHeadId(0));
  for (std::size_t n = 0; n < last.size(); ++n) {
    CAPTURE(n);
    CHECK(std::min<std::int32_t>(last[n], 6) == std::min<std::int32_t>(expected[n], 6));
  }
}

TEST_CASE("H2O by an earlier version: a map for each of very many heads") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  TraceContent content = run_trace(run);
  content.provenance.policy = "h2o:2,2";
  LooseFile loose = LooseFile::of(written(folder, content));
  for (const char* const name : {"evicted", "evicted_ends", "scores", "logits"}) loose.remove(name);
  for (const char* const key : {"token_texts", "token_names"}) loose.metadata.erase(key);
  constexpr std::int32_t heads = 1 << 17;
  loose.replace("tokens", DType::i64, {1});
  loose.replace("roles", DType::u8, {1, heads, 1});
  loose.replace("kv_entries", DType::i32, {1, 1, heads});
  loose.replace("kv_allocated_bytes", DType::i64, {1});
  loose.replace("probability", DType::f32, {1});
  loose.replace("attention", DType::f32, {heads, 1, 1});
  loose.replace("visible", DType::u8, {heads, 1, 1});
  std::vector<MapId> maps;
  for (std::int32_t head = 0; head < heads; ++head) maps.push_back({LayerId(0), HeadId(head)});
  loose.metadata["maps"] = maps_text(maps);
  loose.metadata["heads"] = std::to_string(heads);
  loose.metadata["prompt_tokens"] = "1";
  loose.write(folder / "old.safetensors");
  const double seconds = processor_seconds_of([&] {
    const auto trace = TraceFile::open(folder / "old.safetensors");
    REQUIRE_MESSAGE(trace, trace.error().message);
    CHECK(session_of(*trace, std::nullopt));
  });
  CHECK(seconds < 3);  // not every map against every other one
}

TEST_CASE("tiles of a recorded map, cell for cell") {
  const TemporaryFolder folder;
  const SequenceRecord run = consistent_run();
  const auto trace = TraceFile::open(written(folder, run_trace(run)));
  REQUIRE(trace);
  const MapId id{LayerId(1), HeadId(3)};
  const auto last_query = run.last_query(id.layer, KvHeadId(1));
  for (const int zoom : {0, 1, 2, 3}) {
    const auto tile = tile_of(*trace, {id.layer, id.head, zoom, 0, 0});
    REQUIRE(tile);
    const std::int32_t cell = 1 << zoom;
    CHECK(tile->rows == (run_tokens + cell - 1) / cell);
    for (std::int32_t row = 0; row < tile->rows; ++row) {
      for (std::int32_t column = 0; column < tile->columns; ++column) {
        int possible = 0;
        int seen = 0;
        double sum = 0;
        float most = 0;
        for (std::int32_t query = row * cell; query < std::min<std::int32_t>(run_tokens, (row + 1) * cell); ++query) {
          for (std::int32_t key = column * cell; key < std::min<std::int32_t>(run_tokens, (column + 1) * cell); ++key) {
            if (key > query) continue;
            ++possible;
            if (key != query && query > last_query[static_cast<std::size_t>(key)]) continue;
            ++seen;
            const float weight = made_up_weight(id, query, key, true);
            sum += static_cast<double>(weight);
            most = std::max(most, weight);
          }
        }
        const auto at = static_cast<std::size_t>(row * tile->columns + column);
        CHECK(tile->maximum[at] == most);
        CHECK(static_cast<double>(tile->mean[at]) == doctest::Approx(seen > 0 ? sum / seen : 0));
        CHECK(static_cast<double>(tile->visible_share[at]) ==
              doctest::Approx(possible > 0 ? static_cast<double>(seen) / possible : 0));
      }
    }
  }
  // Beside a run with a window of 2 that read all but the last token.
  std::vector<std::int32_t> other;
  for (std::int32_t key = 0; key + 1 < run_tokens; ++key) other.push_back(key + 2);
  const auto whole = tile_of(*trace, {id.layer, id.head, overview_zoom(run_tokens), 0, 0}, other);
  REQUIRE((whole && whole->summary));
  double distance = 0;
  double lost = 0;
  for (std::int32_t query = 0; query < run_tokens; ++query) {
    for (std::int32_t key = 0; key <= query; ++key) {
      const bool sees = key == query || query <= last_query[static_cast<std::size_t>(key)];
      const auto weight = static_cast<double>(made_up_weight(id, query, key, sees));
      distance += weight * (query - key);
      if (query + 1 < run_tokens && query - key > 2) lost += weight;
    }
  }
  CHECK(lost > 0);
  CHECK(whole->summary->distance == doctest::Approx(distance / run_tokens));
  CHECK(whole->summary->compared_queries == run_tokens - 1);
  CHECK(whole->summary->lost == doctest::Approx(lost / (run_tokens - 1)));
  CHECK(tile_of(*trace, {LayerId(0), HeadId(0), 0, 0, 0}).error().code == ErrorCode::bad_trace);
  CHECK(tile_of(*trace, {id.layer, id.head, 0, 1, 0}).error().code == ErrorCode::bad_position);
  CHECK(tile_of(*trace, {id.layer, id.head, 60, 0, 0}).error().code == ErrorCode::bad_position);
  CHECK(tile_of(*trace, {id.layer, id.head, 0, 1 << 24, 0}).error().code == ErrorCode::bad_position);
  CHECK(tile_of(*trace, {id.layer, id.head, 0, -1, 0}).error().code == ErrorCode::bad_position);
}

}  // namespace natscope::test
