// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <vector>

#include "core/cache/held_tally.h"
#include "core/protocol/server.h"

namespace natscope::test {

/// An engine that makes its answers up: one layer, two KV heads, a token every `token_time`.
class MadeUpHost : public EngineHost {
 public:
  std::chrono::milliseconds token_time{0};
  std::chrono::milliseconds tile_time{0};
  bool throws_in_generate = false;
  std::atomic<int> tiles_running{0};  ///< while open() and start() run it must be 0: what the server promises
  std::atomic<bool> was_disturbed{false};

  [[nodiscard]] std::string program() const override { return "made-up 1"; }
  [[nodiscard]] Expected<ModelDescription> open(const OpenMessage& request, std::stop_token stop) override;
  [[nodiscard]] bool is_open() const override { return is_open_; }
  [[nodiscard]] std::function<std::string()> identity() const override;
  [[nodiscard]] Expected<StartedMessage> start(const AnalyseMessage& request) override;
  [[nodiscard]] Expected<void> follow_up(const FollowUpMessage& request) override;
  [[nodiscard]] Expected<ReadyMessage> prefill(std::function<void(std::int64_t, std::int64_t)> on_progress,
                                               std::stop_token stop) override;
  [[nodiscard]] Expected<FinishedMessage> generate(const GenerateMessage& request, std::function<void()> on_token,
                                                   std::stop_token stop) override;
  [[nodiscard]] Expected<FinishedMessage> step(const StepMessage& request, std::stop_token stop) override;
  [[nodiscard]] const SequenceRecord& record() const override { return record_; }
  [[nodiscard]] std::string token_text(std::int32_t token) const override { return "t" + std::to_string(token); }
  [[nodiscard]] Expected<AttentionTile> tile(const TileRequestMessage& request, const OnReplay& on_replay,
                                             std::stop_token stop) override;
  [[nodiscard]] Expected<WeightsMessage> weights(const WeightsRequestMessage& request, const OnReplay& on_replay,
                                                 std::stop_token stop) override;
  [[nodiscard]] Expected<ChatPromptMessage> chat_prompt(const ChatTurnMessage& turn) override;

 private:
  Expected<void> add_token(bool generated);

  bool is_open_ = false;
  std::int64_t tokens_given_ = 0;  // how long the sequence is once all that was given is read
  SequenceRecord record_;
  std::vector<HeldTally> tallies_;
};

}  // namespace natscope::test
