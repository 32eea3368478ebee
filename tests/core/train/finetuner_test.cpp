// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/finetuner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/model_folder.h"
#include "core/train/memory_forecast.h"
#include "core/train/random/counter_random.h"
#include "core/train/random/epoch_order.h"
#include "core/train/text/document_set.h"
#include "core/train/text/passkey.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace natscope;
using namespace natscope::train;
using test::TemporaryFolder;

namespace {

FinetuneOptions tiny_run(const TemporaryFolder& folder, const std::string& job) {
  test::TinyModel base;
  base.remove_score_layers();
  std::filesystem::create_directories(folder / "base");
  base.write(folder / "base");
  std::string text;
  for (int i = 0; i < 400; ++i) text += i % 2 == 0 ? "abc de\n" : "a bad cab\n";
  std::filesystem::create_directories(folder / "text");
  test::write_bytes(folder / "text/a.txt", text);
  FinetuneOptions options;
  options.model = folder / "base";
  options.data = options.valid = folder / "text";
  options.job = options.out = folder / job;
  options.window = 3;
  options.steps = 12;
  options.learning_rate = 2e-2;
  options.checkpoint_every = 4;
  options.evaluate_every = 0;
  options.threads = 1;
  return options;
}

std::vector<double> losses_of(const FinetuneOptions& options, bool resume, std::int64_t stop_after = -1) {
  std::vector<double> losses;
  StopSource stop;
  TrainListener listener;
  listener.step = [&](const StepReport& report) {
    losses.push_back(report.loss);
    CHECK(report.is_distance);
    if (report.step == stop_after) stop.request_stop();
  };
  const auto result = finetune(options, resume, listener, stop.get_token());
  if (stop_after < 0) REQUIRE_MESSAGE(result.has_value(), (result ? std::string() : format_error_line(result.error())));
  return losses;
}

Expected<std::vector<Document>> read_lines(const TemporaryFolder& folder, const std::string& lines) {
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  test::write_bytes(folder / "data.jsonl", lines);
  const auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  REQUIRE(tokenizer.has_value());
  return read_documents(folder / "data.jsonl", {&*tokenizer, 1, 12}, {});
}

}  // namespace

TEST_CASE("a stopped run goes on with bit-equal losses, and its adapter opens") {
  TemporaryFolder folder;
  const std::vector<double> whole = losses_of(tiny_run(folder, "whole"), false);
  REQUIRE(whole.size() == 12);
  const std::vector<double> begun = losses_of(tiny_run(folder, "cut"), false, 6);
  FinetuneOptions again;
  again.job = folder / "cut";
  const std::vector<double> rest = losses_of(again, true);
  REQUIRE(begun.size() >= 6);
  REQUIRE(!rest.empty());
  for (std::size_t i = 0; i < rest.size(); ++i) CHECK(rest[i] == whole[12 - rest.size() + i]);
  const auto opened = ModelFolder::open(folder / "base", folder / "whole");
  REQUIRE_MESSAGE(opened.has_value(), (opened ? std::string() : format_error_line(opened.error())));
  CHECK(opened->has_score_layers());
  CHECK(opened->config().nats->window == 3);
  CHECK(ModelFolder::open(folder / "whole").has_value());  // the adapter alone finds its base
}

TEST_CASE("all weights: a whole model folder that opens by itself") {
  TemporaryFolder folder;
  FinetuneOptions options = tiny_run(folder, "all");
  options.trained = Trained::all;
  options.steps = 3;
  options.learning_rate = 1e-4;
  test::write_bytes(folder / "base/tokenizer_config.json", R"({"add_bos_token": false})");
  losses_of(options, false);
  const auto opened = ModelFolder::open(folder / "all");
  REQUIRE_MESSAGE(opened.has_value(), (opened ? std::string() : format_error_line(opened.error())));
  CHECK(opened->has_score_layers());
  // The loss does not reach the output matrix: it stays as it was.
  const auto base = ModelFolder::open(folder / "base");
  REQUIRE(base.has_value());
  // It reads texts as the base does, from which it learned: here without a beginning token.
  CHECK_FALSE(base->bos_id());
  CHECK_FALSE(opened->bos_id());
  const WeightView &was = base->weights().lm_head, &is = opened->weights().lm_head;
  REQUIRE(was.size_bytes() == is.size_bytes());
  CHECK(std::equal(was.data, was.data + was.size_bytes(), is.data));
}

TEST_CASE("all weights of a base that stores several matrices as one: stored so again") {
  TemporaryFolder folder;
  FinetuneOptions options = tiny_run(folder, "llama");
  options.trained = Trained::all;
  options.steps = 2;
  losses_of(options, false);
  test::TinyModel base({{"model_type", "phi3"}, {"architectures", {"Phi3ForCausalLM"}}});
  base.remove_score_layers();
  base.write(folder / "base");
  options.job = options.out = folder / "phi3";
  losses_of(options, false);

  const auto phi3 = ModelFolder::open(folder / "phi3");
  REQUIRE_MESSAGE(phi3.has_value(), (phi3 ? std::string() : format_error_line(phi3.error())));
  const auto llama = ModelFolder::open(folder / "llama");
  REQUIRE(llama.has_value());
  CHECK(phi3->config().architecture == "Phi3ForCausalLM");
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const LayerWeights &one = phi3->weights().layers[layer], &other = llama->weights().layers[layer];
    for (const auto part : {&LayerWeights::q, &LayerWeights::k, &LayerWeights::v, &LayerWeights::gate,
                            &LayerWeights::up, &LayerWeights::score}) {
      const WeightView &is = one.*part, &like = other.*part;
      REQUIRE(is.size_bytes() == like.size_bytes());
      CHECK(std::equal(is.data, is.data + is.size_bytes(), like.data));
    }
  }
}

TEST_CASE("why there are no pass keys is said as it is") {
  TemporaryFolder folder;
  for (const bool has_text : {true, false}) {
    FinetuneOptions options = tiny_run(folder, has_text ? "text-run" : "answers-run");
    if (!has_text) {
      test::write_bytes(folder / "answers.jsonl", R"({"prompt": "a bad cab", "answer": "ed bed"})");
      options.data = folder / "answers.jsonl";
    }
    options.steps = 1;
    std::string said;
    TrainListener listener;
    listener.message = [&](const std::string& text) { said += text + "\n"; };
    REQUIRE(finetune(options, false, listener, {}).has_value());
    CHECK((said.find("no pass keys: documents of 64 tokens") != std::string::npos) == has_text);
    CHECK((said.find("no pass keys: there is no plain text") != std::string::npos) != has_text);
  }
}

TEST_CASE("all weights of a base in f16: bf16, and the config says so") {
  TemporaryFolder folder;
  FinetuneOptions options = tiny_run(folder, "all");
  test::TinyModel base({{"torch_dtype", "float16"}}, DType::f16);
  base.remove_score_layers();
  base.write(folder / "base");
  options.trained = Trained::all;
  options.steps = 1;
  losses_of(options, false);
  const auto opened = ModelFolder::open(folder / "all");
  REQUIRE_MESSAGE(opened.has_value(), (opened ? std::string() : format_error_line(opened.error())));
  CHECK(opened->weight_dtype() == "bfloat16");
  CHECK(opened->config().stored_dtype == "bfloat16");
}

TEST_CASE("a GPU that is not there is said before anything is read, and the folder may be used again") {
  TemporaryFolder folder;
  FinetuneOptions options = tiny_run(folder, "job");
  options.device = Device::cuda;
  const auto result = finetune(options, false, {}, {});
  REQUIRE(!result.has_value());
  CHECK(result.error().code == ErrorCode::device_unavailable);
  options.device = Device::automatic;
  options.steps = 2;
  CHECK(losses_of(options, false).size() == 2);
}

TEST_CASE("the forecast of a GPU's memory: an 8 B model with 16 000 tokens beside the same on the CPU") {
  ModelConfig config;  // Llama 3.1's shape
  config.layers = 32;
  config.hidden = 4096;
  config.heads = 32;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.intermediate = 14336;
  config.vocab = 128256;
  config.context = 131072;
  FinetuneOptions options;
  options.dtype = kernels::ElementType::bf16;
  constexpr std::int64_t stored = 16'060'522'496;
  const auto forecast = forecast_memory(config, options, Device::cuda, {stored, "bfloat16"});
  const auto on_cpu = forecast_memory(config, options, Device::cpu, {stored, "bfloat16"});
  CHECK(forecast.on_gpu);
  CHECK(!on_cpu.on_gpu);
  CHECK(forecast.tokens == 16'000);
  CHECK(forecast.total_bytes() < 80'000'000'000);
  CHECK(forecast.total_bytes() < on_cpu.total_bytes());
  CHECK(forecast.text().find("GPU") != std::string::npos);
  // What is trained lies there four times, moments and all; on the CPU the run's own state and a checkpoint, too.
  const auto trained_bytes = [](const MemoryForecast& of) {
    for (const auto& [name, bytes] : of.parts) {
      if (name.find("moments") != std::string::npos) return bytes;
    }
    return std::int64_t{0};
  };
  const std::int64_t scores = config.layers * config.score_rows() * config.hidden * 4;
  CHECK(trained_bytes(forecast) == 4 * scores);
  CHECK(trained_bytes(on_cpu) == 7 * scores);
  // What is widened while it is used weighs more than what is read as it is stored.
  options.dtype = kernels::ElementType::f32;
  CHECK(forecast_memory(config, options, Device::cuda, {stored, "bfloat16"}).total_bytes() >
        forecast.total_bytes() + 3LL * 4096 * 14336 * 4 - 1);
}

TEST_CASE("the forecast counts the text, and held-out losses where the vocabulary is what they take most for") {
  ModelConfig config;
  config.layers = 2;
  config.hidden = 64;
  config.heads = config.kv_heads = 4;
  config.head_dim = 16;
  config.intermediate = 96;
  config.vocab = 200'000;
  config.context = 512;
  FinetuneOptions options;
  const ForecastInputs inputs{25'600'000, "bfloat16", 0};
  const auto bytes = [&](const ForecastInputs& of) {
    return forecast_memory(config, options, Device::cpu, of).total_bytes();
  };
  const std::int64_t without = bytes(inputs);
  CHECK(bytes({inputs.stored_bytes, inputs.stored_as, 1000, 300}) == without + 1000 + 8 * 300);
  options.valid = "held-out";
  // A run of this shape was seen at 1,006 MiB, and at 148 MiB without held-out text.
  CHECK(static_cast<double>(without >> 20) == doctest::Approx(148).epsilon(0.25));
  CHECK(static_cast<double>(bytes(inputs) >> 20) == doctest::Approx(1006).epsilon(0.1));
  config.vocab = 300;
  const std::int64_t small = bytes(inputs);
  options.valid.clear();
  CHECK(bytes(inputs) == small);
}

TEST_CASE("how many tokens a text will be is told by the beginnings of its files") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  const auto loaded = Tokenizer::load(folder / "tokenizer.model");
  REQUIRE(loaded);
  const Tokenizer& tokenizer = *loaded;
  FinetuneOptions options;
  CHECK(sampled_text_tokens(options, tokenizer) == 0);
  options.data = folder / "data";
  std::filesystem::create_directory(folder / "data");
  for (int file = 0; file < 20; ++file)
    test::write_bytes(folder / "data" / (std::to_string(file) + ".txt"), std::string(100'000, 'a'));
  const auto tokens = static_cast<double>(tokenizer.encode(std::string(50'000, 'a'))->size());
  CHECK(static_cast<double>(sampled_text_tokens(options, tokenizer)) == doctest::Approx(40 * tokens).epsilon(0.01));
  test::write_bytes(folder / "data" / "0.txt", "no UTF-8: \xff");
  CHECK(sampled_text_tokens(options, tokenizer) > 0);
}

TEST_CASE("the learning rate climbs for a fifth, stays, and comes back") {
  CHECK(finetune_learning_rate(1.0, 100, 1) == doctest::Approx(0.1));
  CHECK(finetune_learning_rate(1.0, 100, 11) == doctest::Approx(0.55));
  CHECK(finetune_learning_rate(1.0, 100, 21) == doctest::Approx(1.0));
  CHECK(finetune_learning_rate(1.0, 100, 50) == doctest::Approx(1.0));
  CHECK(finetune_learning_rate(1.0, 100, 80) == doctest::Approx(1.0));
  CHECK(finetune_learning_rate(1.0, 100, 90) == doctest::Approx(0.55));
  CHECK(finetune_learning_rate(1.0, 100, 100) == doctest::Approx(0.1));
  CHECK(finetune_learning_rate(1.0, 1, 1) == doctest::Approx(0.1));
}

TEST_CASE("options survive spec.json, and strange ones are refused") {
  FinetuneOptions options;
  options.model = "m";
  options.data = "d";
  options.trained = Trained::lora;
  options.lora_targets = {"v_proj"};
  options.seed = 18446744073709551615U;
  options.device = Device::cuda;
  const auto spec = options_json(options);
  CHECK(spec["device"] == "cuda");
  const auto again = finetune_options_from_json(spec);
  REQUIRE(again.has_value());
  CHECK(options_json(*again) == spec);
  auto of_before = spec;
  of_before.erase("device");  // of a run from before there was one
  CHECK(finetune_options_from_json(of_before)->device == Device::automatic);
  const std::pair<const char*, nlohmann::json> wrong[] = {
      {"trained", "some"},      {"device", "gpu"},  {"device", 1}, {"lora_targets", 3},
      {"lora_targets", {1, 2}}, {"window", "wide"}, {"unheard", 1}};
  for (const auto& [key, value] : wrong) {
    CAPTURE(key);
    auto changed = spec;
    changed[key] = value;
    const auto read = finetune_options_from_json(changed);
    REQUIRE(!read.has_value());
    CHECK(read.error().code == ErrorCode::bad_job);
    CHECK(read.error().message.find(key) != std::string::npos);
  }
}

TEST_CASE("lines of JSON: texts, answers, and what is wrong with which line") {
  TemporaryFolder folder;
  const auto good = read_lines(folder,
                               "{\"text\": \"abc de\"}\n\n{\"prompt\": \"a bad cab\", \"answer\": \"ed\", \"id\": 7}\n"
                               "{\"prompt\": \"abcde abcde abcde abcde abcde\", \"answer\": \"cab cab\"}");
  REQUIRE_MESSAGE(good.has_value(), (good ? std::string() : format_error_line(good.error())));
  REQUIRE(good->size() == 3);
  CHECK((*good)[0].counted.empty());
  // The blank that stands in front is a piece's, too.
  CHECK((*good)[0].bytes == std::string_view(" abc de").size());
  CHECK((*good)[1].bytes == std::string_view(" a bad cab ed").size());
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    const Document& document = (*good)[i];
    REQUIRE(document.counted.size() == document.tokens.size());
    CHECK(document.counted.front() == 0);
    // The last token predicts nothing that is asked for; the one before it predicts the answer's end.
    CHECK(document.counted.back() == 0);
    CHECK(document.counted[document.counted.size() - 2] == 1);
    CHECK(document.size() <= 12);
    CHECK(document.tokens.front() == 1);
  }
  const std::pair<const char*, const char*> bad[] = {
      {"{\"text\": \"a\"}\n[1]\n", "line 2"},
      {"{\"text\": \"a\"}\n\n{\"text\": }\n", "line 3"},
      {"{\"text\": 7}\n", "line 1"},
      {"{\"prompt\": \"a\"}\n", "line 1"},
      {"{\"answer\": \"a\"}\n", "line 1"},
      {"{\"text\": \"a\", \"prompt\": \"a\", \"answer\": \"b\"}\n", "line 1"},
      {"{\"prompt\": \"a\", \"answer\": \"\"}\n", "line 1"},
      {"{\"text\": \"\"}\n", "line 1"},
      {"{}\n", "line 1"},
      {"{\"text\": \"a\", \"text\": \"b\"}\n", "line 1"},
      {"{\"text\": \"\xff\"}\n", "line 1"},
      {"no json\n", "line 1"},
      {"\n\n", "holds no documents"},
      {"", "holds no documents"},
  };
  for (const auto& [text, says] : bad) {
    CAPTURE(text);
    const auto read = read_lines(folder, text);
    REQUIRE(!read.has_value());
    CHECK(read.error().code == ErrorCode::bad_data);
    CHECK_MESSAGE(read.error().message.find(says) != std::string::npos, read.error().message);
    if (std::string_view(says).starts_with("line")) CHECK(read.error().hint.find(".jsonl") != std::string::npos);
  }
}

TEST_CASE("every document comes once an epoch, in an order of the seed") {
  constexpr std::uint64_t purpose = random_purpose::document_order;
  EpochOrder order(7, 3, purpose), same(7, 3, purpose), other(7, 4, purpose);
  std::vector<int> seen(7);
  bool differs = false;
  for (std::int64_t n = 0; n < 7; ++n) {
    ++seen[order[n]];
    CHECK(order[n] == same[n]);
    differs = differs || order[n] != other[n];
  }
  for (const int count : seen) CHECK(count == 1);
  CHECK(differs);
  CHECK(order[0] == same[0]);  // back again
}

TEST_CASE("pass keys stand in the text once, at their depth, and are asked for behind it") {
  TemporaryFolder folder;
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  const auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  REQUIRE(tokenizer.has_value());
  const std::vector<std::int32_t> text(
      5000, *[&] {
        static const std::vector<std::int32_t> a = *tokenizer->encode("a");
        return &a.back();
      }());
  PasskeyForm form;
  form.length = 3000;
  form.seed = 9;
  const auto made = passkey_document(text, form, *tokenizer, 1);
  REQUIRE_MESSAGE(made.has_value(), (made ? std::string() : format_error_line(made.error())));
  REQUIRE(!made->answers.empty());
  const auto& tokens = made->document.tokens;
  CHECK(static_cast<std::int64_t>(tokens.size()) == form.length);
  const std::string all = *tokenizer->decode(tokens);
  std::int64_t counted = 0, answers = 0;
  for (const std::uint8_t flag : made->document.counted) counted += flag;
  for (const PasskeyAnswer& answer : made->answers) {
    const std::span<const std::int32_t> digits = std::span(tokens).subspan(
        static_cast<std::size_t>(answer.begin), static_cast<std::size_t>(answer.end - answer.begin));
    std::string number = *tokenizer->decode(digits);
    REQUIRE(number.size() >= 5);
    number = number.substr(number.size() - 5);
    const std::size_t first = all.find(number);
    CHECK(first != std::string::npos);
    CHECK(all.find(number, first + 1) != std::string::npos);
    CHECK(answer.depth >= 0.05);
    CHECK(answer.depth <= 0.95);
    CHECK(made->document.counted[static_cast<std::size_t>(answer.begin - 1)] == 1);
    answers += answer.end - answer.begin;
  }
  CHECK(counted == answers);
  CHECK(passkey_document(text, form, *tokenizer, 1)->document.tokens == tokens);
  form.keys = 1;
  const auto alone = passkey_document(text, form, *tokenizer, 1);
  REQUIRE(alone);
  CHECK(alone->answers.size() == 1);
  CHECK(static_cast<std::int64_t>(alone->document.tokens.size()) == form.length);
  form.keys = passkeys_by_default;
  form.number = 1;
  CHECK(passkey_document(text, form, *tokenizer, 1)->document.tokens != tokens);
  form.length = 20;
  CHECK(passkey_document(text, form, *tokenizer, 1).error().code == ErrorCode::bad_data);
  CHECK(passkey_document({}, PasskeyForm{}, *tokenizer, 1).error().code == ErrorCode::bad_data);
}

TEST_CASE("a pass key is asked for with the blank that it has in the text, whatever the vocabulary adds") {
  const TemporaryFolder folder;
  for (const bool adds : {true, false}) {
    CAPTURE(adds);
    auto pieces = test::small_sentencepiece();
    pieces.normalizer += test::proto_varint(3, adds ? 1 : 0);  // add_dummy_prefix; the last one counts
    test::write_bytes(folder / "tokenizer.model", pieces.serialized());
    const auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
    REQUIRE(tokenizer);
    const std::vector<std::int32_t> text(600, tokenizer->encode("a")->back());
    PasskeyForm form;
    form.length = 600;
    form.keys = 1;
    const auto made = passkey_document(text, form, *tokenizer, 1);
    REQUIRE(made);
    const auto& answer = made->answers.front();
    const std::span<const std::int32_t> tokens = made->document.tokens;
    std::string asked;
    for (const std::int32_t token : tokens.subspan(static_cast<std::size_t>(answer.begin)))
      asked += tokenizer->piece_bytes(token);
    REQUIRE(asked.size() == 6);
    CHECK(asked.front() == ' ');
    CHECK(tokenizer->decode(tokens)->find("is" + asked + ". Remember") != std::string::npos);
  }
}
