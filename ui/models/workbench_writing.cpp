// SPDX-License-Identifier: GPL-3.0-or-later
/// What a person asks to be read and written: analyse, generate, continue, step, a follow-up, stop.
#include <utility>

#include "ui/models/workbench.h"

namespace natscope::ui {

void Workbench::analyse() { startSequence(Next::nothing); }
void Workbench::generate() {
  // A prompt that was just read needs not be read again.
  const bool isRead = canContinue() && !needsNewSequence() && !client_.hasWritten();
  if (!isRead) return startSequence(Next::generate);
  giveUpReading();
  sendGenerate();
}

void Workbench::continueGenerating() {
  if (!canContinue()) return;
  if (needsNewSequence()) return startSequence(Next::generate, wholeText());
  giveUpReading();
  sendGenerate();
}

void Workbench::sendGenerate() {
  Q_EMIT errorCleared();
  say(tr("Generating …"));
  GenerateMessage request;
  request.max_new_tokens = options_.maxNewTokens;
  request.sampling = options_.sampling;
  for (const QString& text : options_.stopStrings) request.stop_strings.push_back(text.toStdString());
  client_.generate(request);
}

void Workbench::step() {
  if (!canContinue()) return;
  if (needsNewSequence()) return startSequence(Next::step, wholeText());
  giveUpReading();
  sendStep();
}

void Workbench::sendStep() {
  Q_EMIT errorCleared();
  StepMessage request;
  request.sampling = options_.sampling;
  client_.step(request);
}

void Workbench::followUp(const QString& text, bool asTurn) {
  if (!canFollowUp()) return;
  followUp_.text = text.toStdString();
  followUp_.chat = asTurn;
  // Behind what is shown, whatever stands in the prompt's field by now.
  const bool isOfOptions = analysed_ == Beginning{analysed_.text, options_.policy, changes_};
  if (!isOfOptions) return startSequence(Next::followUp, Read::shownAgain);
  giveUpReading();
  sendFollowUp();
}

void Workbench::sendFollowUp() {
  Q_EMIT errorCleared();
  say(tr("Reading the follow-up …"));
  next_ = Next::generate;
  followUpAt_ = client_.record().size();
  client_.followUp(followUp_);
}

void Workbench::stop() {
  next_ = Next::nothing;
  client_.stop();
}

}  // namespace natscope::ui
