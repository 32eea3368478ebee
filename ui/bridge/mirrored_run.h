// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/explore/token_span.h"
#include "core/protocol/messages.h"
#include "core/session/session_file.h"

namespace natscope::ui {

/// Text, or tokens taken as they are.
using Prompt = decltype(AnalyseMessage::prompt);

/// What a sequence began with, and was given since.
struct Beginning {
  Prompt prompt;
  std::int64_t tokens = 0;
  std::vector<TokenSpan> followUps;
};

/// An analyse that an engine was asked for.
struct AskedAnalysis {
  AnalyseMessage request;
  std::optional<Beginning> beginning;  ///< of what is only read again
};

/// Where a sequence comes from that the open model did not make.
struct Origin {
  Provenance provenance;
  std::string modelPath;
  std::string adapterPath;
  std::uint64_t openedBy = 0;  ///< the request that opened the model for this window; 0: not known
};

/// One run as a window mirrors it: every frame so far, what it began with, under which plan, and how it goes on.
/// Does not know whether an engine has the run, or how much of it.
class MirroredRun {
 public:
  // Something new in its place; how it goes on stays.
  void begin(AskedAnalysis asked, const StartedMessage& started);
  /// `openedBy` as in Origin; a recorded run is given to no engine.
  void show(const Session& session, const RolePlan& plan, std::uint64_t openedBy, bool isRecorded);

  // What an engine says of it.
  [[nodiscard]] Expected<void> append(std::vector<TokenFrame> frames);
  void nameTokens(const std::vector<std::pair<std::int32_t, std::string>>& texts);
  void endReading(const ReadyMessage& ready);  ///< the prompt, or a follow-up, is processed
  /// Another model is opened than the one that made it.
  void isOf(Origin origin) { origin_ = std::move(origin); }
  /// What reading it again does not tell of a frame: who wrote it, when, and what was likely.
  void keepHistory(TokenFrame& frame) const;
  /// What an engine says that was given it. False where roles or entries differ: then that is the record.
  bool takeReadAgain(const SequenceRecord& again);
  void goOnWith(const GenerateMessage& request) { goingOn_ = request; }
  void goOnWith(const SamplingOptions& sampling) { goingOn_.sampling = sampling; }

  [[nodiscard]] const SequenceRecord& record() const { return record_; }
  [[nodiscard]] const std::optional<Origin>& origin() const { return origin_; }
  [[nodiscard]] bool isRecorded() const { return isRecorded_; }
  [[nodiscard]] std::int64_t promptTokens() const { return promptTokens_; }
  /// Whether the prompt was read to its end; one that was stopped before is no text to go on from.
  [[nodiscard]] bool isPromptRead() const { return record_.size() >= promptTokens_; }
  /// Whether tokens stand behind the prompt: drawn, or given as a follow-up.
  [[nodiscard]] bool hasWritten() const { return record_.size() > promptTokens_; }
  /// The tokens of the last prefill: the prompt's, a follow-up's, or all that were read again.
  [[nodiscard]] std::int64_t prefillTokens() const { return readTokens_; }
  [[nodiscard]] double prefillSeconds() const { return prefillSeconds_; }
  [[nodiscard]] std::string promptText() const;  ///< empty where it was tokens
  /// What was given behind the prompt, in order; of a file whose run was read again it is not known.
  [[nodiscard]] const std::vector<TokenSpan>& followUps() const { return followUps_; }
  [[nodiscard]] const RolePlan& plan() const { return plan_; }
  [[nodiscard]] const SetByHand& setByHand() const { return setByHand_; }
  [[nodiscard]] const std::string& policy() const { return policy_; }
  [[nodiscard]] const std::string* tokenText(std::int32_t token) const;  ///< null where it was never named

  /// Whether all its tokens are here, or are being read again.
  [[nodiscard]] bool canReadAgain() const;
  /// The same tokens under another plan: what was written stays the prompt. Only where canReadAgain().
  [[nodiscard]] AskedAnalysis readingAgain(const RolePlan& plan) const;
  /// What gives it to an engine that does not have it, with its roles where it has at most `mostRoles`; nothing where
  /// it does not fit the model. Errors: bad_roles (they are too many to be sent, and not to be had in another way).
  [[nodiscard]] Expected<std::optional<AnalyseMessage>> restoring(const ModelDescription& model,
                                                                  std::int64_t mostRoles) const;

  /// As files that are made of it say it; `open`: the open model. Cost: a checksum of the prompt, once.
  [[nodiscard]] Provenance provenance(const std::optional<ModelDescription>& open) const;
  [[nodiscard]] Origin originOr(const std::optional<ModelDescription>& open, std::uint64_t openedBy) const;
  [[nodiscard]] Session session(const std::optional<ModelDescription>& open) const;
  // Of what originOr() tells, what needs no checksum: asked for while a text grows.
  [[nodiscard]] std::string modelPath(const std::optional<ModelDescription>& open) const;
  [[nodiscard]] std::string adapterPath(const std::optional<ModelDescription>& open) const;
  [[nodiscard]] std::optional<std::int32_t> queryHeads(const std::optional<ModelDescription>& open) const;
  [[nodiscard]] std::optional<double> globalBias(const std::optional<ModelDescription>& open) const;
  [[nodiscard]] std::int64_t promptsHashed() const { return promptsHashed_; }  ///< how often a checksum was made

 private:
  void beginWith(Beginning beginning, std::int64_t given);
  /// Tokens that nobody drew, behind the prompt.
  void takeGiven(std::span<const TokenFrame> frames);
  [[nodiscard]] const std::string& promptDigest() const;

  SequenceRecord record_;
  Prompt prompt_;
  std::int64_t promptTokens_ = 0;
  /// Up to the last one that was given behind the prompt: read again, or a follow-up, whoever wrote those before it.
  std::int64_t givenTokens_ = 0;
  std::vector<TokenSpan> followUps_;
  std::optional<Beginning> readAgainFrom_;  // while it is read once more: what it really began with
  mutable std::optional<std::string> digest_;
  mutable std::int64_t promptsHashed_ = 0;

  RolePlan plan_;
  SetByHand setByHand_;  // in plan_, or as a file says
  std::string policy_;
  double prefillSeconds_ = 0;
  std::int64_t readTokens_ = 0;
  GenerateMessage goingOn_;
  std::unordered_map<std::int32_t, std::string> tokenTexts_;
  std::optional<Origin> origin_;  // nothing: the open model's
  bool isRecorded_ = false;
};

}  // namespace natscope::ui
