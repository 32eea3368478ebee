// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "core/protocol/messages.h"
#include "tests/core/protocol/message_samples.h"

/// Messages with one thing wrong each: all are errors that name the type and the field.
namespace natscope {
namespace {

using nlohmann::json;

/// The fields of the first sample of this type.
json fields(const std::string& type) {
  for (const Message& message : test::sample_messages()) {
    if (type != type_name(message)) continue;
    const auto payload = encode({1, 1, message});
    REQUIRE(payload);
    return json::from_cbor(*payload);
  }
  FAIL("no sample of type ", type);
  return {};
}

struct Case {
  const char* type;
  const char* field;
  std::function<void(json&)> spoil;
};

json bytes(std::size_t count, std::uint8_t value = 0) { return json::binary(std::vector<std::uint8_t>(count, value)); }

std::function<void(json&)> set(const char* field, json value) {
  return [field, value](json& map) { map[field] = value; };
}
std::function<void(json&)> without(const char* field) {
  return [field](json& map) { map.erase(field); };
}

TEST_CASE("a message with one thing wrong is an error that names it") {
  const Case cases[] = {
      {"hello", "protocol", without("protocol")},
      {"hello", "protocol", set("protocol", "1")},
      {"hello", "program", set("program", 7)},
      {"open", "model", without("model")},
      {"open", "model", set("model", nullptr)},
      {"open", "device", set("device", "tpu")},
      {"open", "dtype", set("dtype", "int4")},
      {"open", "threads", set("threads", -1)},
      {"open", "threads", set("threads", 1e300)},
      {"open", "trace_store_bytes", set("trace_store_bytes", 0xffff'ffff'ffff'ffffULL)},
      {"analyse", "text", without("text")},
      {"analyse", "text", set("tokens", bytes(4))},
      {"analyse", "policy", set("policy", "sliding:x")},
      {"analyse", "window", set("window", -1)},
      {"analyse", "chunk", set("chunk", 0)},
      {"analyse", "candidates", set("candidates", 1'000'000)},
      {"analyse", "forced", set("forced", bytes(12))},
      {"analyse", "forced", set("forced", bytes(16, 0xff))},
      {"analyse", "roles", set("roles", 3)},
      {"analyse", "roles", [](json& map) { map["roles"]["values"] = bytes(5); }},
      {"analyse", "roles", [](json& map) { map["roles"]["values"] = bytes(6, 3); }},
      {"analyse", "roles", [](json& map) { map["roles"]["length"] = 1 << 29; }},
      {"generate", "max_new_tokens", set("max_new_tokens", -1)},
      {"generate", "sampling", set("sampling", json::array())},
      {"generate", "sampling", [](json& map) { map["sampling"]["temperature"] = "hot"; }},
      {"generate", "sampling", [](json& map) { map["sampling"]["top_p"] = std::numeric_limits<double>::infinity(); }},
      {"generate", "sampling", [](json& map) { map["sampling"]["seed"] = -1; }},
      {"generate", "stop_strings", set("stop_strings", json::array({1}))},
      {"generate", "stop_strings", set("stop_strings", std::vector<std::string>(2000, "x"))},
      {"step", "token", set("token", -5)},
      {"tile_request", "zoom", set("zoom", 31)},
      {"tile_request", "row", set("row", -1)},
      {"tile_request", "column", set("column", 1 << 30)},
      {"weights_request", "queries", set("queries", 0)},
      {"weights_request", "keys", [](json& map) { map["queries"] = map["keys"] = 1 << 29; }},
      {"opened", "kv_heads", set("kv_heads", 3)},
      {"opened", "layers", set("layers", 1 << 30)},
      {"opened", "heads", [](json& map) { map["layers"] = 4096, map["heads"] = 65536, map["kv_heads"] = 1; }},
      {"opened", "dtype", set("dtype", "float64")},
      {"identity", "sha256", set("sha256", "abc")},
      {"progress", "phase", set("phase", "thinking")},
      {"progress", "done", set("done", 10)},
      {"started", "kv_heads", [](json& map) { map["layers"] = 4096, map["kv_heads"] = 65536; }},
      {"frames", "count", set("count", 1 << 30)},
      {"frames", "tokens", set("tokens", bytes(7))},
      {"frames", "tokens", set("tokens", bytes(8, 0xff))},
      {"frames", "text", set("text", json::array({"one"}))},
      {"frames", "roles", set("roles", bytes(12, 9))},
      {"frames", "roles", set("heads", 1 << 28)},
      {"frames", "scores", set("scores", bytes(4))},
      {"frames", "entries", set("entries", bytes(48, 0xff))},
      {"frames", "fraction", set("fraction", bytes(16, 0xff))},
      {"frames", "held", set("held", bytes(16, 0xff))},
      {"frames", "candidate_counts", set("candidate_counts", bytes(8, 0xff))},
      {"frames", "candidate_tokens", set("candidate_counts", bytes(8, 0x7f))},
      {"frames", "evicted", set("evicted_counts", bytes(8, 0x01))},
      {"frames", "evicted", set("evicted", bytes(16))},        // a run of no entry
      {"frames", "evicted", set("evicted", bytes(16, 0x01))},  // more positions than the text has
      {"frames", "evicted", set("evicted", bytes(16, 0xff))},
      {"frames", "named_tokens", set("named_tokens", bytes(4))},
      {"finished", "reason", set("reason", "boredom")},
      {"tile", "rows", set("rows", 257)},
      {"tile", "maximum", set("maximum", bytes(12))},
      {"tile", "visible_share", set("visible_share", "none")},
      {"weights", "weights", set("weights", bytes(4))},
      {"error", "code", set("code", "bad-mood")},
  };
  for (const Case& test : cases) {
    CAPTURE(test.type);
    CAPTURE(test.field);
    json map = fields(test.type);
    test.spoil(map);
    const auto back = decode(json::to_cbor(map));
    REQUIRE_FALSE(back);
    CHECK(back.error().code == ErrorCode::protocol_error);
    CHECK_MESSAGE(back.error().message.find(test.type) != std::string::npos, back.error().message);
    CHECK_MESSAGE(back.error().message.find(test.field) != std::string::npos, back.error().message);
  }
}

TEST_CASE("a message needs a known type, an id and a generation") {
  const auto refused = [](const json& map) {
    const auto back = decode(json::to_cbor(map));
    return back ? std::string("accepted") : back.error().message;
  };
  CHECK(refused({{"id", 1}, {"generation", 1}}).find("type") != std::string::npos);
  CHECK(refused({{"type", "stop"}, {"generation", 1}}).find("id") != std::string::npos);
  CHECK(refused({{"type", "stop"}, {"id", 1}}).find("generation") != std::string::npos);
  CHECK(refused({{"type", "stop"}, {"id", -1}, {"generation", 1}}).find("id") != std::string::npos);
  CHECK(refused({{"type", "dance"}, {"id", 1}, {"generation", 1}}).find("dance") != std::string::npos);
  CHECK(refused(json::array({1, 2})).find("no map") != std::string::npos);
  CHECK(refused("stop").find("no map") != std::string::npos);
}

}  // namespace
}  // namespace natscope
