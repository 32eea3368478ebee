// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "core/engine/engine.h"
#include "core/protocol/server.h"

namespace natscope {

/// A real Engine behind the protocol's server.
class TorchEngineHost : public EngineHost {
 public:
  [[nodiscard]] std::string program() const override;

  /// The model that was open is let go before weights take memory: two of them may not fit. What can be found wrong
  /// before that leaves it open.
  [[nodiscard]] Expected<ModelDescription> open(const OpenMessage& request, std::stop_token stop) override;
  [[nodiscard]] bool is_open() const override { return engine_ != nullptr; }
  [[nodiscard]] std::function<std::string()> identity() const override;
  [[nodiscard]] Expected<StartedMessage> start(const AnalyseMessage& request) override;
  [[nodiscard]] Expected<void> follow_up(const FollowUpMessage& request) override;
  [[nodiscard]] Expected<ReadyMessage> prefill(std::function<void(std::int64_t, std::int64_t)> on_progress,
                                               std::stop_token stop) override;
  [[nodiscard]] Expected<FinishedMessage> generate(const GenerateMessage& request, std::function<void()> on_token,
                                                   std::stop_token stop) override;
  [[nodiscard]] Expected<FinishedMessage> step(const StepMessage& request, std::stop_token stop) override;
  [[nodiscard]] const SequenceRecord& record() const override;
  [[nodiscard]] std::string token_text(std::int32_t token) const override;
  [[nodiscard]] Expected<AttentionTile> tile(const TileRequestMessage& request, const OnReplay& on_replay,
                                             std::stop_token stop) override;
  [[nodiscard]] Expected<WeightsMessage> weights(const WeightsRequestMessage& request, const OnReplay& on_replay,
                                                 std::stop_token stop) override;
  [[nodiscard]] Expected<ChatPromptMessage> chat_prompt(const ChatTurnMessage& turn) override;

 private:
  [[nodiscard]] Expected<void> check_open() const;
  [[nodiscard]] Expected<std::vector<std::int32_t>> prompt_tokens(const AnalyseMessage& request,
                                                                  std::optional<std::int64_t>& bytes) const;

  std::unique_ptr<Engine> engine_;
  SequenceRecord nothing_;           // what is recorded while no model is open
  std::vector<std::int32_t> given_;  // of start() or follow_up(), for prefill() …
  std::string note_;                 // … and what it says of them
  std::int64_t chunk_ = 512;
  std::int32_t candidates_ = 0;
};

}  // namespace natscope
