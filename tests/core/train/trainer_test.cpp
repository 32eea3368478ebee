// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/io/model_folder.h"
#include "core/io/safetensors.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/checkpoint_export.h"
#include "core/train/weights/parameters.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

/// Text with something to learn in it, and a run over it that takes a fraction of a second.
TrainOptions tiny_run(const TemporaryFolder& folder, const std::string& job) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += i % 3 == 0 ? "abc de\n" : i % 3 == 1 ? "a bad cab\n" : "ed bed ace\n";
  std::filesystem::create_directories(folder / "text");
  test::write_bytes(folder / "text/a.txt", text);
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  TrainOptions options;
  options.data = folder / "text";
  options.valid = folder / "text";
  options.tokenizer = folder / "tokenizer.model";
  options.job = options.out = folder / job;
  options.layers = 2;
  options.hidden = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.vocab = 300;
  options.context = 32;
  options.window = 3;
  options.batch = 4;
  options.steps = 12;
  options.learning_rate = 5e-3;
  options.warmup_steps = 3;
  options.checkpoint_every = 4;
  options.evaluate_every = 0;
  options.evaluate_segments = 3;
  options.threads = 1;
  return options;
}

struct Losses {
  std::vector<double> values;
  TrainListener listener;
  Losses() {
    listener.step = [this](const StepReport& report) { values.push_back(report.loss); };
  }
};

/// What the tokens say that `segments`, spread over the run's held-out text, predict.
double bytes_of_held_out(const std::filesystem::path& run, std::size_t segments, std::size_t context) {
  const auto file = SafetensorsFile::open(run / "valid.tokens");
  const auto tokenizer = Tokenizer::load(run / "tokenizer.model");
  REQUIRE(file);
  REQUIRE(tokenizer);
  const std::span<const std::byte> data = file->find("tokens")->data;
  const std::size_t available = (data.size() / 2 - 1) / context;
  REQUIRE(available > segments);
  std::size_t bytes = 0;
  for (std::size_t segment = 0; segment < segments; ++segment) {
    const std::size_t first = segment * available / segments * context + 1;
    for (std::size_t n = first; n < first + context; ++n) {
      std::uint16_t token = 0;
      std::memcpy(&token, data.data() + 2 * n, 2);
      bytes += tokenizer->piece_bytes(token).size();
    }
  }
  return static_cast<double>(bytes);
}

std::vector<nlohmann::json> progress_lines(const std::filesystem::path& job) {
  std::istringstream lines(test::read_bytes(job / "progress.jsonl"));
  std::vector<nlohmann::json> parsed;
  for (std::string line; std::getline(lines, line);) parsed.push_back(nlohmann::json::parse(line));
  return parsed;
}

}  // namespace

TEST_CASE("a run learns, reports, and leaves a model folder that opens") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.steps = 60;
  Losses losses;
  const auto result = train::train(options, false, losses.listener, {});
  REQUIRE_MESSAGE(result, (result ? "" : format_error_line(result.error())));
  REQUIRE(losses.values.size() == 60);
  CHECK(losses.values.back() < 0.5 * losses.values.front());
  REQUIRE(result->evaluation);
  CHECK(result->evaluation->tokens == 12 * 32);
  // Of the bytes that were predicted, in twelve segments of the text, not of the bytes that it has a token.
  const double bytes = result->evaluation->nll * 12 * 32 / std::log(2.0) / result->evaluation->bits_per_byte;
  CHECK(bytes == doctest::Approx(bytes_of_held_out(folder / "run", 12, 32)));
  CHECK(result->tokens == 60 * 4 * 32);

  const auto model = ModelFolder::open(folder / "run");
  REQUIRE_MESSAGE(model, (model ? "" : format_error_line(model.error())));
  CHECK(model->config().layers == 2);
  CHECK(model->config().nats->window == 3);
  CHECK(model->config().nats->global_bias == doctest::Approx(0.1));
  CHECK(model->config().tied);
  CHECK(model->weight_dtype() == "bfloat16");

  const auto status = nlohmann::json::parse(test::read_bytes(folder / "run/status.json"));
  CHECK(status["state"] == "finished");
  CHECK(status["step"] == 60);
  const auto lines = progress_lines(folder / "run");
  REQUIRE(lines.size() == 61);
  for (const char* key : {"loss", "tokens_per_s", "eta_s", "sampled", "argmax"}) CHECK(lines[0].contains(key));
  CHECK(lines.back()["evaluation"]["heads"].size() == 2);
}

TEST_CASE("a resumed run has the losses of an uninterrupted one, to the last bit") {
  for (const kernels::ElementType dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    const TemporaryFolder folder;
    TrainOptions options = tiny_run(folder, "whole");
    options.dtype = dtype;
    options.threads = 2;
    Losses whole;
    REQUIRE(train::train(options, false, whole.listener, {}));
    REQUIRE(whole.values.size() == 12);

    // Stopped in step 7, so that steps 5 and 6 are lost or saved, and all after them must come out the same.
    options.job = options.out = folder / "parts";
    StopSource stop;
    Losses parts;
    auto count = parts.listener.step;
    parts.listener.step = [&](const StepReport& report) {
      count(report);
      if (report.step == 6) stop.request_stop();
    };
    const auto stopped = train::train(options, false, parts.listener, stop.get_token());
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == ErrorCode::interrupted);
    CHECK(nlohmann::json::parse(test::read_bytes(folder / "parts/status.json"))["state"] == "interrupted");
    CHECK(parts.values == std::vector<double>(whole.values.begin(), whole.values.begin() + 6));

    TrainOptions only_job;
    only_job.job = options.job;
    Losses rest;
    REQUIRE(train::train(only_job, true, rest.listener, {}));
    REQUIRE(rest.values.size() <= 8);
    REQUIRE(rest.values.size() >= 6);
    CHECK(rest.values == std::vector<double>(whole.values.end() - static_cast<std::ptrdiff_t>(rest.values.size()),
                                             whole.values.end()));
    CHECK(test::read_bytes(folder / "whole/model.safetensors") == test::read_bytes(folder / "parts/model.safetensors"));
    const auto lines = progress_lines(folder / "parts");
    REQUIRE(lines.size() == 13);  // every step once, and the evaluation
    for (std::size_t i = 0; i < 12; ++i) CHECK(lines[i]["loss"].get<double>() == whole.values[i]);
  }
}

TEST_CASE("a run that was stopped does not go on with another text") {
  const TemporaryFolder folder;
  StopSource stop;
  TrainListener stopping;
  stopping.step = [&stop](const StepReport& report) {
    if (report.step == 6) stop.request_stop();
  };
  const TrainOptions options = tiny_run(folder, "run");
  CHECK(train::train(options, false, stopping, stop.get_token()).error().code == ErrorCode::interrupted);
  const std::string text = test::read_bytes(folder / "text/a.txt");
  const auto resumed_with = [&](const std::string& present) {
    test::write_bytes(folder / "text/a.txt", present);
    TrainOptions only_job;
    only_job.job = options.job;
    return train::train(only_job, true, {}, {});
  };
  const auto other = resumed_with(text.substr(0, text.size() / 2));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::bad_data);
  CHECK(other.error().message.find("text is another") != std::string::npos);
  // The same text is the same, however often it was written.
  CHECK(resumed_with(text));
}

TEST_CASE("a run that was begun with relative paths goes on from another folder") {
  const TemporaryFolder folder;
  const auto here = std::filesystem::current_path();
  TrainOptions options = tiny_run(folder, "run");
  std::filesystem::current_path(folder.path());
  options.data = options.valid = "text";
  options.tokenizer = "tokenizer.model";
  options.job = options.out = "run";
  StopSource stop;
  TrainListener listener;
  listener.step = [&](const StepReport& report) {
    if (report.step == 5) stop.request_stop();
  };
  const auto begun = train::train(options, false, listener, stop.get_token());
  TrainOptions again;
  again.job = ".";
  std::filesystem::current_path(folder / "run");
  const auto result = train::train(again, true, {}, {});
  std::filesystem::current_path(here);
  CHECK(begun.error().code == ErrorCode::interrupted);
  REQUIRE_MESSAGE(result, (result ? "" : format_error_line(result.error())));
  CHECK(ModelFolder::open(folder / "run"));
  CHECK_FALSE(std::filesystem::exists(folder / "run/run"));
}

TEST_CASE("micro-batches give the same step as the whole batch") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "whole");
  options.dtype = kernels::ElementType::f32;
  Losses whole;
  REQUIRE(train::train(options, false, whole.listener, {}));
  options.job = options.out = folder / "micro";
  options.micro_batch = 2;
  Losses micro;
  REQUIRE(train::train(options, false, micro.listener, {}));
  REQUIRE(micro.values.size() == whole.values.size());
  for (std::size_t i = 0; i < whole.values.size(); ++i) {
    CHECK(micro.values[i] == doctest::Approx(whole.values[i]).epsilon(1e-4));
  }
}

TEST_CASE("a full-attention twin starts with the same weights and has no roles") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "twin");
  options.full_attention = true;
  const auto result = train::train(options, false, {}, {});
  REQUIRE(result);
  const auto model = ModelFolder::open(folder / "twin");
  REQUIRE(model);
  CHECK_FALSE(model->has_score_layers());
  CHECK(progress_lines(folder / "twin")[0]["sampled"].is_null());

  const ModelConfig with = model_config(tiny_run(folder, "nats"));
  const ModelConfig without = model_config(options);
  const ParameterLayout layout = parameter_layout(without);
  const auto nats = initial_parameters(with, parameter_layout(with), 3);
  const auto full = initial_parameters(without, layout, 3);
  // Scores that begin elsewhere leave every other weight where it was.
  const auto wide = initial_parameters(with, parameter_layout(with), 3, 0.2);
  for (const Parameter& p : parameter_layout(with).parameters) {
    for (std::int64_t i = p.offset; i < p.offset + p.elements; ++i) {
      const double expected = nats[static_cast<std::size_t>(i)] * (p.kind == ParameterKind::score ? 10.0 : 1.0);
      CHECK(wide[static_cast<std::size_t>(i)] == doctest::Approx(expected));
    }
  }
  CHECK(std::equal(full.begin(), full.end(), nats.begin()));
}

TEST_CASE("a fixed mask stands in place of the learned roles, and the folder says which") {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& name, const char* policy, int steps) {
    TrainOptions options = tiny_run(folder, name);
    options.dtype = kernels::ElementType::f32;
    options.steps = steps;
    options.policy = parse_policy(policy).value();
    Losses losses;
    REQUIRE(train::train(options, false, losses.listener, {}));
    return losses.values;
  };
  const auto full = run("full", "full", 4);
  const auto wide = run("wide", "window:31", 4);  // a window of the whole segment hides nothing
  const auto sinks = run("sinks", "streaming:32,0", 4);
  for (std::size_t i = 0; i < full.size(); ++i) {
    CHECK(wide[i] == doctest::Approx(full[i]).epsilon(1e-5));
    CHECK(sinks[i] == doctest::Approx(full[i]).epsilon(1e-5));
  }
  const auto narrow = run("narrow", "window:1", 4);
  const auto listed = run("listed", "longformer:1,0,7", 4);
  CHECK(narrow.front() != full.front());
  CHECK(listed.front() != full.front());
  CHECK(listed.front() != narrow.front());

  const auto model = ModelFolder::open(folder / "narrow");
  REQUIRE(model);
  CHECK_FALSE(model->has_score_layers());
  const auto config = nlohmann::json::parse(test::read_bytes(folder / "narrow/config.json"));
  CHECK(config["natscope"]["training_policy"] == "window:1");
  CHECK_FALSE(config.contains("nats"));
  CHECK_FALSE(nlohmann::json::parse(test::read_bytes(folder / "full/config.json")).contains("natscope"));
  CHECK(nlohmann::json::parse(test::read_bytes(folder / "listed/spec.json"))["policy"] == "longformer:1,0,7");
}

TEST_CASE("a run with a fixed mask goes on with it after a stop") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "whole");
  options.policy = parse_policy("streaming:1,2").value();
  Losses whole;
  REQUIRE(train::train(options, false, whole.listener, {}));

  options.job = options.out = folder / "stopped";
  StopSource source;
  Losses first;
  TrainListener stopping = first.listener;
  stopping.step = [&](const StepReport& report) {
    first.values.push_back(report.loss);
    if (report.step == 5) source.request_stop();
  };
  CHECK(train::train(options, false, stopping, source.get_token()).error().code == ErrorCode::interrupted);
  TrainOptions again;
  again.job = folder / "stopped";
  Losses rest;
  REQUIRE(train::train(again, true, rest.listener, {}));
  REQUIRE(rest.values.size() < whole.values.size());
  CHECK(std::equal(rest.values.rbegin(), rest.values.rend(), whole.values.rbegin()));
}

TEST_CASE("a run begins with a model's weights and vocabulary, and goes on without that model") {
  const TemporaryFolder folder;
  TrainOptions base = tiny_run(folder, "base");
  base.full_attention = true;
  base.dtype = kernels::ElementType::f32;
  base.steps = 40;
  Losses before;
  REQUIRE(train::train(base, false, before.listener, {}));

  TrainOptions next = tiny_run(folder, "next");
  next.init = folder / "base";
  next.tokenizer.clear();
  next.dtype = kernels::ElementType::f32;
  next.full_attention = true;
  next.context = 16;  // stages may differ in length
  next.steps = 8;
  next.checkpoint_every = 4;
  Losses after;
  StopSource stop;
  after.listener.step = [&](const StepReport& report) {
    after.values.push_back(report.loss);
    if (after.values.size() == 5) stop.request_stop();
  };
  CHECK_FALSE(train::train(next, false, after.listener, stop.get_token()));
  REQUIRE(!after.values.empty());
  CHECK(after.values.front() < 0.6 * before.values.front());
  CHECK(test::read_bytes(folder / "next/tokenizer.model") == test::read_bytes(folder / "base/tokenizer.model"));
  std::filesystem::remove_all(folder / "base");
  CHECK(train::train(next, true, {}, {}));

  // Score layers, which the base lacks, begin as ever; a model with them hands them on.
  TrainOptions nats = tiny_run(folder, "nats");
  nats.init = folder / "next";
  nats.steps = 20;
  REQUIRE(train::train(nats, false, {}, {}));
  TrainOptions again = tiny_run(folder, "again");
  again.init = folder / "nats";
  again.steps = 1;
  again.learning_rate = 0;
  REQUIRE(train::train(again, false, {}, {}));
  CHECK(test::read_bytes(folder / "again/model.safetensors") == test::read_bytes(folder / "nats/model.safetensors"));
}

TEST_CASE("a run does not begin with a model of another shape, or with none") {
  const TemporaryFolder folder;
  TrainOptions base = tiny_run(folder, "base");
  base.steps = 1;
  REQUIRE(train::train(base, false, {}, {}));
  TrainOptions deep = tiny_run(folder, "deep");
  deep.init = folder / "base";
  deep.layers = 3;
  const auto refused = train::train(deep, false, {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::bad_config);
  CHECK(refused.error().message.find("num_hidden_layers is 2 there and 3 here") != std::string::npos);
  TrainOptions lost = tiny_run(folder, "lost");
  lost.init = folder / "nowhere";
  CHECK_FALSE(train::train(lost, false, {}, {}));
  CHECK_FALSE(std::filesystem::exists(folder / "lost"));
}

TEST_CASE("a run that begins leaves a vocabulary alone that it was not told to use") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.steps = 1;
  const std::string mine = test::small_sentencepiece().serialized();
  std::filesystem::create_directory(folder / "run");
  test::write_bytes(folder / "run/tokenizer.model", mine);
  options.tokenizer.clear();
  CHECK(train::train(options, false, {}, {}).error().code == ErrorCode::usage);
  options.tokenizer = folder / "run/tokenizer.model";
  REQUIRE(train::train(options, false, {}, {}));
  CHECK(test::read_bytes(folder / "run/tokenizer.model") == mine);
  CHECK(ModelFolder::open(folder / "run"));
}

TEST_CASE("a checkpoint becomes a model where nothing is") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.steps = 2;
  options.checkpoint_every = 1;
  REQUIRE(train::train(options, false, {}, {}));
  const std::string config = test::read_bytes(folder / "run/config.json");
  test::write_bytes(folder / "run/config.json", config + "\n");
  const auto refused = export_checkpoint(folder / "run", 1, folder / "run");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::usage);
  CHECK(test::read_bytes(folder / "run/config.json") == config + "\n");
  for (const std::filesystem::path& out : {folder / "new", std::filesystem::path()}) {
    const auto exported = export_checkpoint(folder / "run", 1, out);
    REQUIRE(exported);
    CHECK(exported->step == 1);
    CHECK(ModelFolder::open(exported->model));
  }
  CHECK_FALSE(export_checkpoint(folder / "run", 1, folder / "new"));
  CHECK(export_checkpoint(folder / "run", 1, {}));  // is there already
}

TEST_CASE("a run does not overwrite another, and does not resume what is not there") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.steps = 1;
  CHECK(train::train(options, true, {}, {}).error().code == ErrorCode::bad_job);
  REQUIRE(train::train(options, false, {}, {}));
  CHECK(train::train(options, false, {}, {}).error().code == ErrorCode::usage);
  test::write_bytes(folder / "run/spec.json", "{}");
  CHECK(train::train(options, true, {}, {}).error().code == ErrorCode::bad_job);
}

TEST_CASE("data that is missing leaves no folder behind") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.data = folder / "nowhere";
  CHECK(train::train(options, false, {}, {}).error().code == ErrorCode::file_not_found);
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
}

TEST_CASE("held-out text without a segment is refused before the first step") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.valid = folder / "short.txt";
  test::write_bytes(options.valid, "a bad cab");
  Losses losses;
  const auto result = train::train(options, false, losses.listener, {});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::bad_data);
  CHECK(losses.values.empty());
}

TEST_CASE("what is wrong with a run is known before it is begun") {
  const TemporaryFolder folder;
  const TrainOptions options = tiny_run(folder, "run");
  CHECK(train::checked(options));
  const auto refused = [&](auto change) {
    TrainOptions changed = options;
    change(changed);
    const auto result = train::checked(changed);
    REQUIRE_FALSE(result);
    return result.error().code;
  };
  CHECK(refused([&](TrainOptions& o) { o.data = folder / "nowhere"; }) == ErrorCode::file_not_found);
  CHECK(refused([&](TrainOptions& o) { o.tokenizer = folder / "nowhere"; }) == ErrorCode::file_not_found);
  CHECK(refused([&](TrainOptions& o) { o.tokenizer = folder / "text/a.txt"; }) == ErrorCode::bad_tokenizer);
  CHECK(refused([&](TrainOptions& o) { o.init = folder / "nowhere"; }) == ErrorCode::file_not_found);
  CHECK(refused([&](TrainOptions& o) { o.ranks = 3; }) == ErrorCode::usage);
  CHECK(refused([&](TrainOptions& o) { o.out = folder / "text"; }) == ErrorCode::usage);
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
}

TEST_CASE("a loss that is not a number ends the run and says so") {
  const TemporaryFolder folder;
  TrainOptions options = tiny_run(folder, "run");
  options.learning_rate = 10;
  options.clip = 1e9;
  options.warmup_steps = 0;
  options.steps = 200;
  options.weight_decay = 10;
  options.final_learning_rate_ratio = 1;
  const auto result = train::train(options, false, {}, {});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::bad_job);
  CHECK(nlohmann::json::parse(test::read_bytes(folder / "run/status.json"))["state"] == "failed");
}
