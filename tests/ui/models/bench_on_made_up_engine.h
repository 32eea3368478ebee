// SPDX-License-Identifier: GPL-3.0-or-later
/// What tests of the workbench begin with: one with settings of its own, on an engine that makes its answers up.
#pragma once

#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "tests/ui/patience.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

class BenchTest : public QObject {
 protected:
  /// An engine that takes so long for a token.
  [[nodiscard]] static QStringList slow(int milliseconds) {
    return {QStringLiteral(NATSCOPE_FAKE_ENGINE), QStringLiteral("slow"), QString::number(milliseconds)};
  }

  /// A workbench without an engine, with settings as on the first day.
  void forget() {
    bench_.reset();
    settings_ = std::make_unique<Settings>(folder_.filePath(QStringLiteral("settings-%1.ini").arg(++runs_)));
    bench_ = std::make_unique<Workbench>(*settings_);
  }

  /// The text was read by such an engine.
  void begin(int milliseconds, const QString& text) {
    PromptOptions options;
    options.text = text;
    bench_->setOptions(options);
    bench_->begin(slow(milliseconds), QStringLiteral("m"), QStringLiteral("cpu"));
    QTRY_VERIFY_WITH_TIMEOUT(isRead(text.size()), patience);
  }

  /// So many tokens are shown, and the engine can go on with them.
  [[nodiscard]] bool isRead(std::int64_t tokens) const {
    return bench_->canContinue() && bench_->client().record().size() == tokens;
  }

  void ask(const QString& text) {
    PromptOptions options = bench_->options();
    options.text = text;
    bench_->setOptions(options);
    bench_->analyse();
  }

  void stopWhileItReads(const QString& text) {
    ask(text);
    QTRY_VERIFY_WITH_TIMEOUT(bench_->statusText().startsWith(QStringLiteral("Reading the text")), patience);
    bench_->stop();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
  }

  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Workbench> bench_;

 private:
  int runs_ = 0;
};

}  // namespace natscope::ui
