// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "core/protocol/messages.h"

/// The engine's end of the conversation, without an engine: what natscope-engine runs, and tests run on a made-up one.
namespace natscope {

/// What a server needs of an engine. One thread calls everything but tile(), weights() and chat_prompt(), which come
/// from another one while any other runs, and never during open() and start().
class EngineHost {
 public:
  /// Called while tile() or weights() process the text once more.
  using OnReplay = std::function<void(std::int64_t done, std::int64_t total)>;

  virtual ~EngineHost() = default;

  /// "natscope-engine 0.1.0, LibTorch 2.11.0", for the hello.
  [[nodiscard]] virtual std::string program() const = 0;

  /// Where it fails, the previous model and sequence may still stand: is_open().
  [[nodiscard]] virtual Expected<ModelDescription> open(const OpenMessage& request, std::stop_token stop) = 0;
  [[nodiscard]] virtual bool is_open() const = 0;
  /// Computes the open model's checksum; must stand on its own: it runs in a thread that nobody waits for.
  [[nodiscard]] virtual std::function<std::string()> identity() const = 0;

  /// Reads the prompt and begins a sequence; where it fails, the previous one still stands. Errors: usage (no model
  /// is open), as Engine::tokenize and Engine::start.
  [[nodiscard]] virtual Expected<StartedMessage> start(const AnalyseMessage& request) = 0;
  /// Reads a text that prefill() is to go on with; nothing has changed until then. Errors: usage (no model is open), as
  /// Engine::tokenize_follow_up and ChatForm::follow_up.
  [[nodiscard]] virtual Expected<void> follow_up(const FollowUpMessage& request) = 0;
  /// Processes what start() or follow_up() read.
  [[nodiscard]] virtual Expected<ReadyMessage> prefill(
      std::function<void(std::int64_t done, std::int64_t total)> on_progress, std::stop_token stop) = 0;
  /// `on_token` is called after each token, when record() has it.
  [[nodiscard]] virtual Expected<FinishedMessage> generate(const GenerateMessage& request,
                                                           std::function<void()> on_token, std::stop_token stop) = 0;
  [[nodiscard]] virtual Expected<FinishedMessage> step(const StepMessage& request, std::stop_token stop) = 0;

  [[nodiscard]] virtual const SequenceRecord& record() const = 0;
  [[nodiscard]] virtual std::string token_text(std::int32_t token) const = 0;

  [[nodiscard]] virtual Expected<AttentionTile> tile(const TileRequestMessage& request, const OnReplay& on_replay,
                                                     std::stop_token stop) = 0;
  /// Errors: usage (no model is open), as ChatForm.
  [[nodiscard]] virtual Expected<ChatPromptMessage> chat_prompt(const ChatTurnMessage& turn) = 0;
  [[nodiscard]] virtual Expected<WeightsMessage> weights(const WeightsRequestMessage& request,
                                                         const OnReplay& on_replay, std::stop_token stop) = 0;
};

/// Answers frames from `input` on `output` until the input ends or a `bye` comes; what was asked for before the input
/// ended is still done. Writes nothing but whole frames. Requests run one after another; stop, tiles and weights are
/// served while they do.
///
/// Returns 0, or after a broken frame (answered with an error frame) or a lost output the exit code of that error.
/// Neither descriptor is closed. SIGPIPE must be ignored. Threads: blocks the calling one and has two of its own.
[[nodiscard]] int serve(int input, int output, EngineHost& host);

}  // namespace natscope
