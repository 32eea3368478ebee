// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <vector>

#include "core/cache/policy.h"
#include "ui/models/runs/run_comparison.h"

namespace natscope::ui {

/// What other policies make of the text that is shown: each reads the same tokens and is kept to compare with, then
/// what was shown is shown again. Somebody who asks for something else meanwhile ends it; what was kept stays kept.
class BaselineRuns : public QObject {
  Q_OBJECT

 public:
  BaselineRuns(Workbench& workbench, RunComparison& comparison, QObject* parent = nullptr);

  [[nodiscard]] bool canBegin() const;
  [[nodiscard]] bool isRunning() const { return at_ < policies_.size(); }
  /// What the run that is shown holds after its prompt: 0 … 1.
  [[nodiscard]] double ownBudget() const;
  /// Whether nothing stands behind the prompt.
  [[nodiscard]] bool isOfPromptAlone() const;
  /// What it holds after the last token that is shown.
  [[nodiscard]] double presentBudget() const;
  /// "2 of 4: h2o:32,32"; empty while none runs.
  [[nodiscard]] QString words() const;

 public Q_SLOTS:
  /// Reads the prompt under learned roles, where the model has them, full attention, and a window, H2O, TOVA,
  /// StreamingLLM, SnapKV, PyramidKV and Ada-KV that hold the share `budget` of it; not under a policy that is shown or
  /// kept with it. Only where canBegin().
  void begin(double budget);
  /// The same, with as many entries as what is shown holds after its last token.
  void beginAtPresent();
  /// Shows what was shown before.
  void end();

 Q_SIGNALS:
  void changed();

 private:
  /// Whether it is the prompt that is shown, read by the same model under `policy` alone.
  [[nodiscard]] bool isOfShown(const KeptRun& run, const std::string& policy) const;
  /// With policies that hold the share `budget` of so many tokens.
  void read(double budget, std::int64_t tokens);
  void next();
  void take();
  void giveUp();

  Workbench& workbench_;
  RunComparison& comparison_;
  std::vector<Policy> policies_;
  std::size_t at_ = 0;
};

}  // namespace natscope::ui
