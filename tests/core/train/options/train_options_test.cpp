// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/options/train_options.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

using namespace natscope;
using namespace natscope::train;

TEST_CASE("lambda in the paper's scale is applied in proportion to the paper's batch") {
  CHECK(applied_sparsity(1e-9, 480 * 1024) == doctest::Approx(1e-9));
  CHECK(applied_sparsity(1e-9, 4096) == doctest::Approx(1.2e-7));
  CHECK(applied_sparsity(0.0, 4096) == 0.0);
}

TEST_CASE("what is left open is filled in") {
  TrainOptions options;
  options.data = "text";
  options.hidden = 320;
  options.heads = 10;
  options.kv_heads = 5;
  const auto settled = resolve(options);
  REQUIRE(settled);
  CHECK(settled->head_dim == 32);
  CHECK(settled->intermediate == 896);  // 853.3 rounded up to a multiple of 64
  CHECK(settled->micro_batch == options.batch);
  CHECK(settled->threads >= 1);
}

TEST_CASE("options out of range are wrong usage and name their flag") {
  struct Bad {
    const char* flag;
    std::function<void(TrainOptions&)> change;
  };
  const Bad table[] = {
      {"--data", [](TrainOptions& o) { o.data.clear(); }},
      {"--layers", [](TrainOptions& o) { o.layers = 0; }},
      {"--kv-heads", [](TrainOptions& o) { o.kv_heads = 3; }},
      {"--heads", [](TrainOptions& o) { o.heads = 7, o.kv_heads = 7; }},
      {"--head-dim", [](TrainOptions& o) { o.head_dim = 31; }},
      {"--head-dim", [](TrainOptions& o) { o.head_dim = 258; }},
      {"--window", [](TrainOptions& o) { o.window = -1; }},
      {"--context", [](TrainOptions& o) { o.context = 1; }},
      {"--vocab", [](TrainOptions& o) { o.vocab = 70000; }},
      {"--micro-batch", [](TrainOptions& o) { o.batch = 8, o.micro_batch = 3; }},
      {"--epochs", [](TrainOptions& o) { o.epochs = 0; }},
      {"--lr", [](TrainOptions& o) { o.learning_rate = -1; }},
      {"--lambda", [](TrainOptions& o) { o.sparse_regularized_value = std::numeric_limits<double>::quiet_NaN(); }},
      {"--clip", [](TrainOptions& o) { o.clip = 0; }},
      {"--keep", [](TrainOptions& o) { o.checkpoints_kept = 1; }},
      {"--score-init", [](TrainOptions& o) { o.score_init = -1; }},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.flag);
    TrainOptions options;
    options.data = "text";
    bad.change(options);
    const auto settled = resolve(options);
    REQUIRE_FALSE(settled);
    CHECK(settled.error().code == ErrorCode::usage);
    CHECK((settled.error().message + settled.error().hint).find(bad.flag) != std::string::npos);
  }
}

TEST_CASE("spec.json gives the same options back") {
  TrainOptions options;
  options.data = "books";
  options.layers = 3;
  options.full_attention = true;
  options.dtype = kernels::ElementType::f32;
  options.seed = ~std::uint64_t{0};
  options.sparse_regularized_value = 3e-9;
  options.score_init = 0.3;
  const nlohmann::json spec = options_json(options);
  const auto again = options_from_json(nlohmann::json::parse(spec.dump()));
  REQUIRE(again);
  CHECK(options_json(*again) == spec);
}

TEST_CASE("a spec.json that is not ours is refused") {
  const nlohmann::json good = options_json(TrainOptions{});
  nlohmann::json table[] = {nlohmann::json::array(), nlohmann::json::object(), good, good, good, good, good};
  table[2]["layers"] = "six";
  table[3]["layers"] = 1e30;
  table[4]["unheard_of"] = 1;
  table[5]["dtype"] = "float8";
  table[6]["batch"] = std::int64_t{1} << 40;
  for (const nlohmann::json& bad : table) {
    CAPTURE(bad.dump());
    const auto read = options_from_json(bad);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::bad_job);
  }
}

TEST_CASE("a twin with full attention has no nats block") {
  TrainOptions options;
  CHECK(model_config(options).nats.has_value());
  options.policy = parse_policy("window:4").value();
  CHECK_FALSE(model_config(options).nats.has_value());
  options.policy = {};
  options.full_attention = true;
  CHECK_FALSE(model_config(options).nats.has_value());
}

TEST_CASE("the policy and full_attention say the same, and contradictions are refused") {
  TrainOptions options;
  options.data = "text";
  options.policy = parse_policy("full").value();
  CHECK(resolve(options)->full_attention);
  options.policy = {};
  options.full_attention = true;
  CHECK(resolve(options)->policy.kind == Policy::Kind::full);
  CHECK(resolve(*resolve(options)));
  options.policy = parse_policy("window:4").value();
  CHECK(resolve(options).error().code == ErrorCode::usage);
  options.full_attention = false;
  CHECK(resolve(options));
  options.policy = parse_policy("h2o:4,4").value();
  CHECK(resolve(options).error().code == ErrorCode::usage);

  auto spec = options_json(TrainOptions{});
  CHECK(options_from_json(spec)->policy == Policy{});
  spec.erase("policy");  // of a run from before there was one
  CHECK(options_from_json(spec)->policy == Policy{});
  for (const nlohmann::json& wrong : {nlohmann::json("window:x"), nlohmann::json(3), nlohmann::json(nullptr)}) {
    spec["policy"] = wrong;
    CHECK(options_from_json(spec).error().code == ErrorCode::bad_job);
  }
}
