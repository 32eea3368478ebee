// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/protocol/made_up_host.h"

#include <stdexcept>
#include <thread>

#include "core/base/cancel.h"
#include "core/cache/accounting.h"
#include "tests/core/protocol/message_samples.h"

namespace natscope::test {
namespace {

constexpr CacheGeometry geometry{1, 2, 8, kernels::ElementType::f32};

/// Counts a tile that runs, for as long as it lives.
class Running {
 public:
  explicit Running(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Running() { --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::atomic<int>& count_;
};

/// Sleeps in small pieces, so that a stop is seen soon.
Expected<void> pass_time(std::chrono::milliseconds time, const std::stop_token& stop) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    NATSCOPE_CHECK(check(stop));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return check(stop);
}

}  // namespace

Expected<ModelDescription> MadeUpHost::open(const OpenMessage& request, std::stop_token stop) {
  if (tiles_running > 0) was_disturbed = true;
  if (request.model == "missing") return fail(ErrorCode::file_not_found, "there is no folder “missing”");
  is_open_ = false;  // from here on there is no way back
  NATSCOPE_CHECK(pass_time(token_time, stop));
  if (request.model == "too large") return fail(ErrorCode::out_of_memory, "no memory for it");
  is_open_ = true;
  for (const Message& sample : sample_messages()) {
    if (const auto* opened = std::get_if<OpenedMessage>(&sample)) {
      ModelDescription model = opened->model;
      model.path = request.model;
      model.layers = geometry.layers;
      model.kv_heads = geometry.kv_heads;
      model.head_dim = geometry.head_dim;
      model.nats = true;
      model.chats = true;
      return model;
    }
  }
  return fail(ErrorCode::internal, "no sample");
}

std::function<std::string()> MadeUpHost::identity() const {
  return [] { return std::string(64, 'b'); };
}

Expected<StartedMessage> MadeUpHost::start(const AnalyseMessage& request) {
  if (tiles_running > 0) was_disturbed = true;
  if (!is_open_) return fail(ErrorCode::usage, "no model is open");
  const auto* text = std::get_if<std::string>(&request.prompt);
  if (text != nullptr && text->empty()) return fail(ErrorCode::bad_text, "the text is empty");
  tokens_given_ = text != nullptr
                      ? static_cast<std::int64_t>(text->size())
                      : static_cast<std::int64_t>(std::get<std::vector<std::int32_t>>(request.prompt).size());
  record_ = SequenceRecord(geometry, true, 16);
  tallies_.assign(static_cast<std::size_t>(geometry.layers) * geometry.kv_heads, HeldTally(16));
  return StartedMessage{geometry, true, 16, to_string(request.plan.policy), tokens_given_};
}

Expected<void> MadeUpHost::add_token(bool generated) {
  TokenFrame frame = sample_frame(static_cast<std::int32_t>(record_.size()), 2, true);
  frame.generated = generated;
  frame.evicted.clear();
  // As the roles leave it: a session of it must not contradict itself.
  std::int64_t held = 0;
  std::int64_t paper = 0;
  for (std::size_t head = 0; head < tallies_.size(); ++head) {
    frame.entries[head] = static_cast<std::int32_t>(tallies_[head].add(frame.roles[head]));
    held += frame.entries[head];
    paper += tallies_[head].paper_entries();
  }
  frame.counts = count_cache(geometry, frame.position.value + 1, held, 2048, paper);
  return record_.append(std::move(frame));
}

Expected<void> MadeUpHost::follow_up(const FollowUpMessage& request) {
  if (record_.size() == 0) return fail(ErrorCode::bad_position, "nothing was prefilled");
  if (request.text.empty()) return fail(ErrorCode::bad_text, "the text is empty");
  tokens_given_ = record_.size() + static_cast<std::int64_t>(request.text.size()) + (request.chat ? 2 : 0);
  return {};
}

Expected<ReadyMessage> MadeUpHost::prefill(std::function<void(std::int64_t, std::int64_t)> on_progress,
                                           std::stop_token stop) {
  const std::int64_t before = record_.size();
  while (record_.size() < tokens_given_) {
    NATSCOPE_CHECK(pass_time(token_time, stop));
    NATSCOPE_CHECK(add_token(false));
    on_progress(record_.size() - before, tokens_given_ - before);
  }
  return ReadyMessage{tokens_given_ - before, 0.25, before > 0 ? "made up" : ""};
}

Expected<FinishedMessage> MadeUpHost::generate(const GenerateMessage& request, std::function<void()> on_token,
                                               std::stop_token stop) {
  if (throws_in_generate) throw std::runtime_error("a library gave up");
  if (record_.size() == 0) return fail(ErrorCode::bad_position, "nothing was prefilled");
  FinishedMessage result{StopReason::max_new_tokens, 0, "", 0.5};
  while (result.generated < request.max_new_tokens) {
    if (!pass_time(token_time, stop)) {
      result.reason = StopReason::interrupted;
      break;
    }
    NATSCOPE_CHECK(add_token(true));
    ++result.generated;
    on_token();
  }
  return result;
}

Expected<FinishedMessage> MadeUpHost::step(const StepMessage& request, std::stop_token stop) {
  return generate(
      {1, request.sampling, {}, 0}, [] {}, stop);
}

Expected<AttentionTile> MadeUpHost::tile(const TileRequestMessage& request, const OnReplay& on_replay,
                                         std::stop_token stop) {
  const Running running(tiles_running);
  if (tile_time.count() > 0) on_replay(1, 2);
  NATSCOPE_CHECK(pass_time(tile_time, stop));
  if (request.tile.layer.value >= geometry.layers) return fail(ErrorCode::bad_layer, "there is no such layer");
  AttentionTile tile{request.tile, 1, 1, 1, {1}, {1}, {1}};
  const std::int64_t compared = std::ssize(request.other_last_query);
  if (compared > 0) tile.summary = AttentionSummary{compared, 0, 1, 1, 0, compared, 0.5};
  return tile;
}

Expected<WeightsMessage> MadeUpHost::weights(const WeightsRequestMessage& request, const OnReplay&,
                                             std::stop_token stop) {
  const Running running(tiles_running);
  NATSCOPE_CHECK(pass_time(tile_time, stop));
  const auto cells = static_cast<std::size_t>(request.queries) * static_cast<std::size_t>(request.keys);
  return WeightsMessage{request, std::vector<float>(cells, 0.5F), std::vector<std::uint8_t>(cells, 1)};
}

Expected<ChatPromptMessage> MadeUpHost::chat_prompt(const ChatTurnMessage& turn) {
  const Running running(tiles_running);
  if (!is_open_) return fail(ErrorCode::usage, "no model is open");
  return ChatPromptMessage{"<user>" + turn.user + "<answer>", "made up"};
}

}  // namespace natscope::test
