// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "core/cache/policy.h"
#include "ui/bridge/engine_client_p.h"

/// Sequences that are given to an engine token by token: of an engine that was lost, out of a session file, or one that
/// it has already, to be read once more under another plan.
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

}  // namespace

void EngineClient::Private::restoreSequence() {
  if (isRecorded) return;
  // A file's sequence goes to the weights that it was made with, and to no others: its maps would not be its own.
  if (shownFrom && !isOpen(*shownFrom)) return;
  const CacheGeometry& geometry = record.geometry();
  const std::int64_t heads = std::int64_t{geometry.layers} * geometry.kv_heads;
  if (!model || record.size() == 0 || record.size() > model->context) return;
  const bool fits = geometry.layers == model->layers && geometry.kv_heads == model->kv_heads &&
                    geometry.head_dim == model->head_dim && record.has_scores() == model->nats;
  const auto parsed = parse_policy(policy);
  if (!fits || !parsed) return;
  // Of more roles than a message should hold the model decides anew.
  const bool areRolesGiven = record.size() * heads <= mostRolesGiven;
  const bool areRolesKnown = areRolesGiven || lastAnalyse.plan.roles || setByHand.roles_sha256.empty();
  if (!areRolesKnown) {
    Q_EMIT q->notRestored(QStringLiteral("its roles are from a file that is not at hand, and too many to be sent"));
    return;
  }

  AnalyseMessage request;
  request.prompt = tokensOf(record);
  request.candidates = 0;  // those that are shown are kept
  request.plan.policy = *parsed;
  // H2O has no roles and no W: what it measures decides, and it measures the same again.
  if (parsed->kind != Policy::Kind::h2o) {
    request.plan.window = record.window();
    if (areRolesGiven) request.plan.as_before = rolesOf(record);
    // What was set by hand: where roles are given, for tokens that are still to come.
    if (lastAnalyse.plan.roles && lastAnalyse.plan.roles->length >= record.size())
      request.plan.roles = lastAnalyse.plan.roles;
    for (const ForcedRole& role : lastAnalyse.plan.forced) {
      if (!areRolesGiven || role.position.value >= record.size()) request.plan.forced.push_back(role);
    }
  }
  restoringGeneration = ++newestGeneration;
  isInEngine = false;
  isRestoring = true;
  askRunning(std::move(request), State::analysing);
}

void EngineClient::Private::keepHistory(TokenFrame& frame) const {
  if (frame.position.value < 0 || frame.position.value >= record.size()) return;
  const TokenFrame& was = record.frame(frame.position);
  frame.generated = was.generated;
  frame.candidates = was.candidates;
  frame.step_ms = was.step_ms;
}

void EngineClient::Private::finishRestoring() {
  becomeGeneration(restoringGeneration, true);
  shownFrom.reset();
  const SequenceRecord again = std::exchange(restored, {});
  bool isSame = again.size() == record.size();
  for (std::int64_t i = 0; isSame && i < record.size(); ++i) {
    const TokenPos position(static_cast<std::int32_t>(i));
    isSame = again.frame(position).roles == record.frame(position).roles &&
             again.frame(position).entries == record.frame(position).entries;
  }
  if (!isSame) {
    // The mirror must show what the engine really has.
    record = again;
    Q_EMIT q->logLine(QStringLiteral("Read again, the model decides otherwise than before: that is shown from now on"));
    Q_EMIT q->sequenceStarted();
    Q_EMIT q->recordChanged();
  }
}

bool EngineClient::canReadAgain() const {
  const bool isWhole = d_->record.size() > 0 && d_->record.size() >= d_->promptTokens;
  return d_->isInEngine && (isWhole || d_->readAgainFrom);
}

void EngineClient::readAgain(const RolePlan& plan) {
  if (!canReadAgain()) return;
  AnalyseMessage request;
  request.plan = plan;
  Private::Beginning beginning{d_->lastAnalyse.prompt, d_->promptTokens};
  if (d_->readAgainFrom) {
    // Of what is being read again just now, not all is mirrored.
    request.prompt = d_->lastAnalyse.prompt;
    beginning = *d_->readAgainFrom;
  } else {
    request.prompt = tokensOf(d_->record);
  }
  d_->stopRunning(false);
  ++d_->newestGeneration;
  d_->askedAnalyses.insert_or_assign(d_->newestGeneration, Private::AskedAnalysis{request, beginning});
  d_->askRunning(request, State::analysing);
}

const SetByHand& EngineClient::setByHand() const { return d_->setByHand; }

Provenance EngineClient::provenance() const {
  Provenance provenance;
  provenance.window = d_->record.window();
  provenance.dtype = dtype_name(d_->record.geometry().dtype);
  provenance.seed = d_->lastGenerate.sampling.seed;
  provenance.natscope_version = NATSCOPE_VERSION;
  provenance.policy = d_->policy;
  if (const std::int32_t head_dim = d_->record.geometry().head_dim; head_dim > 0) provenance.head_dim = head_dim;
  provenance.by_hand = d_->setByHand;
  provenance.prompt_sha256 = d_->promptDigest();
  if (d_->record.size() > std::max(d_->promptTokens, d_->givenTokens)) provenance.sampling = d_->lastGenerate.sampling;
  provenance.heads = queryHeads();
  provenance.global_bias = globalBias();
  if (d_->shownFrom) {
    // A file's sequence that no engine has taken over: only the file knows which model it was.
    provenance.model_sha256 = d_->shownFrom->provenance.model_sha256;
    provenance.sampling = d_->shownFrom->provenance.sampling;
  } else if (d_->model) {
    provenance.model_sha256 = d_->model->sha256;
  }
  return provenance;
}

const std::string& EngineClient::Private::promptDigest() const {
  if (digest) return *digest;
  ++promptsHashed;
  if (givenTokens > promptTokens) {
    // Under this policy nobody drew them: the prompt alone, with any seed, does not make them again.
    std::vector<std::int32_t> given = tokensOf(record);
    given.resize(std::min(given.size(), static_cast<std::size_t>(givenTokens)));
    digest = prompt_digest(given);
  } else {
    digest = std::visit([](const auto& prompt) { return prompt_digest(prompt); }, lastAnalyse.prompt);
  }
  return *digest;
}

std::int64_t EngineClient::promptsHashed() const { return d_->promptsHashed; }

std::optional<std::int32_t> EngineClient::queryHeads() const {
  if (d_->shownFrom) return d_->shownFrom->provenance.heads;
  return d_->model ? std::optional(d_->model->heads) : std::nullopt;
}

std::optional<double> EngineClient::globalBias() const {
  if (d_->shownFrom) return d_->shownFrom->provenance.global_bias;
  return d_->model ? d_->model->global_bias : std::nullopt;
}

EngineClient::Private::Origin EngineClient::Private::origin() const {
  if (shownFrom) return *shownFrom;
  return {q->provenance(), modelPath(), adapterPath(), openedBy()};
}

std::string EngineClient::Private::modelPath() const {
  if (shownFrom) return shownFrom->modelPath;
  return model ? model->path : std::string();
}

std::string EngineClient::Private::adapterPath() const {
  if (shownFrom) return shownFrom->adapterPath;
  return model ? model->adapter : std::string();
}

std::uint64_t EngineClient::Private::openedBy() const { return shownFrom ? shownFrom->openedBy : modelOpenedBy; }

bool EngineClient::Private::isOpen(const Origin& from) const {
  if (!model) return false;
  // Opened since without a break it is the same, whether its checksum is known already or not.
  if (from.openedBy != 0 && from.openedBy == modelOpenedBy) return true;
  return !model->sha256.empty() && from.provenance.model_sha256 == model->sha256;
}

bool EngineClient::isOfAnotherModel() const {
  return !d_->isRecorded && d_->record.size() > 0 && d_->shownFrom && d_->model && !d_->model->sha256.empty() &&
         !d_->isOpen(*d_->shownFrom);
}

std::string EngineClient::shownModel() const { return d_->modelPath(); }
std::string EngineClient::shownAdapter() const { return d_->adapterPath(); }

Session EngineClient::session() const {
  Session session;
  session.record = d_->record;
  if (const auto* text = std::get_if<std::string>(&d_->lastAnalyse.prompt)) session.prompt = *text;
  session.prompt_tokens = std::min(d_->promptTokens, d_->record.size());
  session.sampling = d_->lastGenerate.sampling;
  session.max_new_tokens = d_->lastGenerate.max_new_tokens;
  session.policy = d_->policy;
  session.token_texts = {d_->tokenTexts.begin(), d_->tokenTexts.end()};
  session.provenance = provenance();
  session.model_path = d_->modelPath();
  session.adapter_path = d_->adapterPath();
  return session;
}

void EngineClient::Private::mirror(const Session& session) {
  stopRunning(false);
  becomeGeneration(++newestGeneration, false);
  recordTimer.stop();
  record = session.record;
  promptTokens = session.prompt_tokens;
  policy = session.policy;
  prefillSeconds = 0;
  shownFrom = Origin{session.provenance, session.model_path, session.adapter_path};
  lastAnalyse = {};
  lastAnalyse.prompt = session.prompt;
  readAgainFrom.reset();
  givenTokens = 0;
  digest.reset();
  setByHand = session.provenance.by_hand;
  lastAnalyse.plan.forced = setByHand.forced;
  lastGenerate.sampling = session.sampling;
  lastGenerate.max_new_tokens = session.max_new_tokens;
  // What another model calls its tokens says nothing of these.
  tokenTexts = {session.token_texts.begin(), session.token_texts.end()};
  Q_EMIT q->sequenceStarted();
  Q_EMIT q->recordChanged();
}

void EngineClient::showSession(const Session& session) {
  d_->isRecorded = false;
  d_->mirror(session);
  d_->restoreSequence();
}

ShownRun EngineClient::shownRun() const { return {session(), d_->lastAnalyse.plan, d_->openedBy()}; }

void EngineClient::showAgain(const ShownRun& run) {
  d_->isRecorded = false;
  d_->mirror(run.session);
  d_->shownFrom->openedBy = run.openedBy;
  d_->lastAnalyse.plan = run.plan;
  d_->restoreSequence();
}

void EngineClient::showRecording(const Session& recorded) {
  d_->isRecorded = true;
  d_->mirror(recorded);
}

}  // namespace natscope::ui
