// SPDX-License-Identifier: GPL-3.0-or-later
// Random models saved by Hugging Face transformers give its logits (tests/data/hf, made by make_fixtures.py there).
#include <doctest/doctest.h>

#include <cstring>

#include "core/io/safetensors.h"
#include "tests/core/engine/engine_run.h"

namespace natscope {
namespace {

using test::prefill_all;
using test::relative_error;
using test::require_ok;
using test::Table;
using test::value_of;

const std::filesystem::path fixtures = std::filesystem::path(NATSCOPE_TESTS_DIR) / "data" / "hf";

struct Truth {
  std::vector<std::int32_t> tokens;
  Table<double> logits;
};

Truth read_truth(const std::filesystem::path& folder) {
  const SafetensorsFile file = value_of(SafetensorsFile::open(folder / "logits.safetensors"));
  const TensorInfo* const ids = file.find("input_ids");
  const TensorInfo* const logits = file.find("logits");
  REQUIRE(ids != nullptr);
  REQUIRE(logits != nullptr);
  Truth truth;
  const auto vocab = static_cast<std::size_t>(logits->shape[1]);
  for (std::size_t t = 0; t < static_cast<std::size_t>(ids->elements()); ++t) {
    std::int64_t id = 0;
    std::memcpy(&id, ids->data.data() + 8 * t, 8);
    truth.tokens.push_back(static_cast<std::int32_t>(id));
    std::vector<float> row(vocab);
    std::memcpy(row.data(), logits->data.data() + 4 * t * vocab, 4 * vocab);
    truth.logits.emplace_back(row.begin(), row.end());
  }
  return truth;
}

TEST_CASE("models of transformers give its logits, in chunks and token by token") {
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures)) {
    if (!entry.is_directory()) continue;
    ++models;
    CAPTURE(entry.path().filename().string());
    const Truth truth = read_truth(entry.path());
    const auto engine = value_of(Engine::open({.model = entry.path()}, {}));
    for (const std::int64_t chunk : {48, 13}) {
      require_ok(engine->start({}));
      CHECK(relative_error(prefill_all(*engine, truth.tokens, chunk), truth.logits) < 1e-4);
    }
    require_ok(engine->start({}));
    Table<float> stepped;
    for (const std::int32_t token : truth.tokens) {
      require_ok(engine->step(token, false, 0, {}));
      stepped.emplace_back(engine->logits().begin(), engine->logits().end());
    }
    CHECK(relative_error(stepped, truth.logits) < 1e-4);
  }
  CHECK(models >= 10);
}

}  // namespace
}  // namespace natscope
