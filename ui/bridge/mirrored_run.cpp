// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/mirrored_run.h"

#include <algorithm>
#include <span>

#include "core/cache/policy.h"

namespace natscope::ui {
namespace {

std::vector<std::int32_t> tokensOf(const SequenceRecord& record) {
  std::vector<std::int32_t> tokens;
  for (const TokenFrame& frame : record.frames()) tokens.push_back(frame.token);
  return tokens;
}

/// Every role as it was: what a model would decide again could differ by a rounding.
RoleArray rolesOf(const SequenceRecord& record) {
  RoleArray array{record.geometry().layers, record.geometry().kv_heads, record.size(), {}};
  array.roles.reserve(static_cast<std::size_t>(array.length * array.layers * array.kv_heads));
  for (std::int32_t layer = 0; layer < array.layers; ++layer) {
    for (std::int32_t kvHead = 0; kvHead < array.kv_heads; ++kvHead) {
      const auto roles = record.roles(LayerId(layer), KvHeadId(kvHead));
      array.roles.insert(array.roles.end(), roles.begin(), roles.end());
    }
  }
  return array;
}

bool fits(const SequenceRecord& record, const ModelDescription& model) {
  const CacheGeometry& geometry = record.geometry();
  return record.size() > 0 && record.size() <= model.context && geometry.layers == model.layers &&
         geometry.kv_heads == model.kv_heads && geometry.head_dim == model.head_dim &&
         record.has_scores() == model.nats;
}

}  // namespace

void MirroredRun::beginWith(Beginning beginning, std::int64_t given) {
  prompt_ = std::move(beginning.prompt);
  promptTokens_ = beginning.tokens;
  followUps_ = std::move(beginning.followUps);
  givenTokens_ = given;
  readAgainFrom_.reset();
  digest_.reset();
}

void MirroredRun::takeGiven(std::span<const TokenFrame> frames) {
  for (const TokenFrame& frame : frames) {
    const std::int64_t position = frame.position.value;
    if (frame.generated || position < promptTokens_) continue;
    if (followUps_.empty() || followUps_.back().end < position) followUps_.push_back({position, position});
    followUps_.back().end = position + 1;
    givenTokens_ = position + 1;
    digest_.reset();
  }
}

void MirroredRun::begin(AskedAnalysis asked, const StartedMessage& started) {
  Prompt& prompt = asked.request.prompt;
  if (auto* const text = std::get_if<std::string>(&prompt); text != nullptr && started.prompt_bytes)
    text->resize(std::min(text->size(), static_cast<std::size_t>(*started.prompt_bytes)));
  beginWith({std::move(prompt), started.prompt_tokens, {}}, 0);
  readAgainFrom_ = std::move(asked.beginning);
  record_ = SequenceRecord(started.geometry, started.has_scores, started.window);
  plan_ = std::move(asked.request.plan);
  setByHand_ = set_by_hand(plan_);
  policy_ = started.policy;
  prefillSeconds_ = 0;
  readTokens_ = 0;
  tokenTexts_.clear();  // the engine names the tokens of each sequence anew
  origin_.reset();
  isRecorded_ = false;
}

void MirroredRun::show(const Session& session, const RolePlan& plan, std::uint64_t openedBy, bool isRecorded) {
  beginWith({session.prompt, session.prompt_tokens, {}}, 0);
  record_ = session.record;
  takeGiven(record_.frames());
  // Read again, no token says who wrote it.
  if (session.follow_ups)
    followUps_ = *session.follow_ups;
  else if (std::ranges::none_of(record_.frames(), &TokenFrame::generated))
    followUps_.clear();
  if (!session.provenance.prompt_sha256.empty()) digest_ = session.provenance.prompt_sha256;
  plan_ = plan;
  setByHand_ = session.provenance.by_hand;
  policy_ = session.policy;
  prefillSeconds_ = 0;
  readTokens_ = 0;
  goingOn_.sampling = session.sampling;
  goingOn_.max_new_tokens = session.max_new_tokens;
  // What another model calls its tokens says nothing of these.
  tokenTexts_ = {session.token_texts.begin(), session.token_texts.end()};
  origin_ = Origin{session.provenance, session.model_path, session.adapter_path, openedBy};
  isRecorded_ = isRecorded;
}

Expected<void> MirroredRun::append(std::vector<TokenFrame> frames) {
  NATSCOPE_CHECK(record_.append(frames));
  takeGiven(frames);
  return {};
}

void MirroredRun::nameTokens(const std::vector<std::pair<std::int32_t, std::string>>& texts) {
  for (const auto& [token, text] : texts) tokenTexts_.insert_or_assign(token, text);
}

void MirroredRun::endReading(const ReadyMessage& ready) {
  prefillSeconds_ = ready.prefill_s;
  readTokens_ = ready.tokens;
  if (!readAgainFrom_) return;
  Beginning beginning = *readAgainFrom_;
  beginning.tokens = std::min(beginning.tokens, record_.size());
  beginWith(std::move(beginning), record_.size());
}

void MirroredRun::keepHistory(TokenFrame& frame) const {
  if (frame.position.value < 0 || frame.position.value >= record_.size()) return;
  const TokenFrame& was = record_.frame(frame.position);
  frame.generated = was.generated;
  frame.candidates = was.candidates;
  frame.step_ms = was.step_ms;
}

bool MirroredRun::takeReadAgain(const SequenceRecord& again) {
  origin_.reset();
  bool isSame = again.size() == record_.size();
  for (std::int64_t i = 0; isSame && i < record_.size(); ++i) {
    const TokenPos position(static_cast<std::int32_t>(i));
    isSame = again.frame(position).roles == record_.frame(position).roles &&
             again.frame(position).entries == record_.frame(position).entries;
  }
  // The mirror must show what the engine really has.
  if (!isSame) record_ = again;
  return isSame;
}

std::string MirroredRun::promptText() const {
  const auto* const text = std::get_if<std::string>(&prompt_);
  return text != nullptr ? *text : std::string();
}

const std::string* MirroredRun::tokenText(std::int32_t token) const {
  const auto found = tokenTexts_.find(token);
  return found != tokenTexts_.end() ? &found->second : nullptr;
}

bool MirroredRun::canReadAgain() const { return (record_.size() > 0 && isPromptRead()) || readAgainFrom_; }

AskedAnalysis MirroredRun::readingAgain(const RolePlan& plan) const {
  AskedAnalysis asked;
  asked.request.plan = plan;
  if (readAgainFrom_) {
    // Of what is being read again just now, not all is mirrored.
    asked.request.prompt = prompt_;
    asked.beginning = readAgainFrom_;
  } else {
    asked.request.prompt = tokensOf(record_);
    asked.beginning = Beginning{prompt_, promptTokens_, followUps_};
  }
  return asked;
}

Expected<std::optional<AnalyseMessage>> MirroredRun::restoring(const ModelDescription& model,
                                                               std::int64_t mostRoles) const {
  const auto parsed = parse_policy(policy_);
  if (isRecorded_ || !parsed || !fits(record_, model)) return std::optional<AnalyseMessage>();
  // Of more roles than a message should hold the model decides anew.
  const bool areGiven = record_.size() * model.layers * model.kv_heads <= mostRoles;
  if (!areGiven && !plan_.roles && !setByHand_.roles_sha256.empty())
    return fail(ErrorCode::bad_roles, "its roles are from a file that is not at hand, and too many to be sent");

  AnalyseMessage request;
  request.prompt = tokensOf(record_);
  request.candidates = 0;  // those that are shown are kept
  request.plan.policy = *parsed;
  // Without roles and W what is measured decides, and the same is measured again.
  if (!has_roles(*parsed)) return std::optional(request);
  request.plan.window = record_.window();
  if (areGiven) request.plan.as_before = rolesOf(record_);
  // What was set by hand: where roles are given, for tokens that are still to come.
  if (plan_.roles && plan_.roles->length >= record_.size()) request.plan.roles = plan_.roles;
  for (const ForcedRole& role : plan_.forced) {
    if (!areGiven || role.position.value >= record_.size()) request.plan.forced.push_back(role);
  }
  return std::optional(request);
}

const std::string& MirroredRun::promptDigest() const {
  if (digest_) return *digest_;
  ++promptsHashed_;
  if (givenTokens_ > promptTokens_) {
    // Under this policy nobody drew them: the prompt alone, with any seed, does not make them again.
    std::vector<std::int32_t> given = tokensOf(record_);
    given.resize(std::min(given.size(), static_cast<std::size_t>(givenTokens_)));
    digest_ = prompt_digest(given);
  } else {
    digest_ = std::visit([](const auto& prompt) { return prompt_digest(prompt); }, prompt_);
  }
  return *digest_;
}

Provenance MirroredRun::provenance(const std::optional<ModelDescription>& open) const {
  Provenance provenance;
  provenance.window = record_.window();
  provenance.dtype = dtype_name(record_.geometry().dtype);
  provenance.seed = goingOn_.sampling.seed;
  provenance.natscope_version = NATSCOPE_VERSION;
  provenance.policy = policy_;
  if (const std::int32_t head_dim = record_.geometry().head_dim; head_dim > 0) provenance.head_dim = head_dim;
  provenance.by_hand = setByHand_;
  provenance.prompt_sha256 = promptDigest();
  if (record_.size() > std::max(promptTokens_, givenTokens_)) provenance.sampling = goingOn_.sampling;
  provenance.heads = queryHeads(open);
  provenance.global_bias = globalBias(open);
  if (origin_) {
    // A file's sequence that no engine has taken over: only the file knows which model it was.
    provenance.model_sha256 = origin_->provenance.model_sha256;
    provenance.sampling = origin_->provenance.sampling;
    provenance.context = origin_->provenance.context;
  } else if (open) {
    provenance.model_sha256 = open->sha256;
    provenance.context = open->asked_context;
  }
  return provenance;
}

Origin MirroredRun::originOr(const std::optional<ModelDescription>& open, std::uint64_t openedBy) const {
  if (origin_) return *origin_;
  return {provenance(open), modelPath(open), adapterPath(open), openedBy};
}

Session MirroredRun::session(const std::optional<ModelDescription>& open) const {
  Session session;
  session.record = record_;
  session.prompt = promptText();
  session.prompt_tokens = std::min(promptTokens_, record_.size());
  session.follow_ups = followUps_;
  session.sampling = goingOn_.sampling;
  session.max_new_tokens = goingOn_.max_new_tokens;
  session.policy = policy_;
  session.token_texts = {tokenTexts_.begin(), tokenTexts_.end()};
  session.provenance = provenance(open);
  session.model_path = modelPath(open);
  session.adapter_path = adapterPath(open);
  return session;
}

std::string MirroredRun::modelPath(const std::optional<ModelDescription>& open) const {
  if (origin_) return origin_->modelPath;
  return open ? open->path : std::string();
}

std::string MirroredRun::adapterPath(const std::optional<ModelDescription>& open) const {
  if (origin_) return origin_->adapterPath;
  return open ? open->adapter : std::string();
}

std::optional<std::int32_t> MirroredRun::queryHeads(const std::optional<ModelDescription>& open) const {
  if (origin_) return origin_->provenance.heads;
  return open ? std::optional(open->heads) : std::nullopt;
}

std::optional<double> MirroredRun::globalBias(const std::optional<ModelDescription>& open) const {
  if (origin_) return origin_->provenance.global_bias;
  return open ? open->global_bias : std::nullopt;
}

}  // namespace natscope::ui
