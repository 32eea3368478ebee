// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <utility>

#include "ui/bridge/engine_client_p.h"

/// What takes the mirrored run's place, and sequences that are given to an engine token by token: of an engine that was
/// lost, out of a session file, or one that it has already, to be read once more under another plan.
namespace natscope::ui {
namespace {

/// What is known of a file's plan for tokens that are still to come: the roles that were set by hand.
RolePlan planOf(const Session& session) {
  RolePlan plan;
  plan.forced = session.provenance.by_hand.forced;
  return plan;
}

}  // namespace

void EngineClient::Private::becomeGeneration(std::uint64_t next, bool isNowInEngine) {
  generation = next;
  std::erase_if(askedAnalyses, [next](const auto& entry) { return entry.first <= next; });
  tiles.clear();
  weightsWish.reset();
  weightsId = 0;
  isInEngine = isNowInEngine;
  restoring.reset();
}

void EngineClient::Private::forgetModel() {
  if (slot.model() && run.record().size() > 0) run.isOf(run.originOr(slot.model(), slot.openedBy()));
  slot.forget();
}

bool EngineClient::Private::isOpen(const Origin& from) const {
  const auto& model = slot.model();
  if (!model) return false;
  // Opened since without a break it is the same, whether its checksum is known already or not.
  if (from.openedBy != 0 && from.openedBy == slot.openedBy()) return true;
  return !model->sha256.empty() && from.provenance.model_sha256 == model->sha256;
}

void EngineClient::Private::restoreSequence() {
  if (!slot.model()) return;
  // A file's sequence goes to the weights that it was made with, and to no others: its maps would not be its own.
  if (run.origin() && !isOpen(*run.origin())) return;
  auto request = run.restoring(*slot.model(), mostRolesGiven);
  if (!request) return Q_EMIT q->notRestored(QString::fromUtf8(request.error().message.c_str()));
  if (!*request) return;
  restoring = Restoring{++newestGeneration, {}};
  isInEngine = false;
  askRunning(*std::move(*request), State::analysing);
}

void EngineClient::Private::finishRestoring() {
  const Restoring given = *std::exchange(restoring, std::nullopt);
  becomeGeneration(given.generation, true);
  if (run.takeReadAgain(given.record)) return;
  Q_EMIT q->logLine(QStringLiteral("Read again, the model decides otherwise than before: that is shown from now on"));
  Q_EMIT q->sequenceStarted();
  Q_EMIT q->recordChanged();
}

void EngineClient::Private::show(const Session& session, const RolePlan& plan, std::uint64_t openedBy,
                                 bool isRecorded) {
  stopRunning(false);
  becomeGeneration(++newestGeneration, false);
  recordTimer.stop();
  run.show(session, plan, openedBy, isRecorded);
  Q_EMIT q->sequenceStarted();
  Q_EMIT q->recordChanged();
  if (!isRecorded) restoreSequence();
}

bool EngineClient::isOfAnotherModel() const {
  const auto& origin = d_->run.origin();
  return !isRecording() && record().size() > 0 && origin && model() && !model()->sha256.empty() && !d_->isOpen(*origin);
}

bool EngineClient::canReadAgain() const { return d_->isInEngine && d_->run.canReadAgain(); }

std::uint64_t EngineClient::readAgain(const RolePlan& plan) {
  if (!canReadAgain()) return 0;
  d_->askToAnalyse(d_->run.readingAgain(plan));
  return d_->newestGeneration;
}

std::uint64_t EngineClient::shownNumber() const { return d_->generation; }

ShownRun EngineClient::shownRun() const {
  const auto& origin = d_->run.origin();
  return {session(), d_->run.plan(), origin ? origin->openedBy : d_->slot.openedBy()};
}

void EngineClient::showAgain(const ShownRun& run) { d_->show(run.session, run.plan, run.openedBy, false); }

void EngineClient::showSession(const Session& session) { d_->show(session, planOf(session), 0, false); }

void EngineClient::showRecording(const Session& recorded) { d_->show(recorded, planOf(recorded), 0, true); }

}  // namespace natscope::ui
