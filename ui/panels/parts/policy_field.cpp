// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/policy_field.h"

#include <QAbstractItemView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <utility>

#include "core/cache/policy.h"
#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int problemLines = 2;

}  // namespace

PolicyField::PolicyField(const QList<Choice>& choices, QWidget* parent)
    : QComboBox(parent), label_(new QLabel(parent)) {
  setEditable(true);
  setInsertPolicy(QComboBox::NoInsert);
  // What is typed is what is meant: completed, streaming:4,6 would become the streaming:4,60 of before.
  setCompleter(nullptr);
  QString rows;
  for (const Choice& choice : choices) {
    addItem(choice.written);
    setItemData(count() - 1, choice.meaning, Qt::ToolTipRole);
    rows += QStringLiteral("<tr><td><b>%1</b>&nbsp;&nbsp;</td><td>%2</td></tr>").arg(choice.form, choice.meaning);
  }
  setToolTip(tr("<p>What decides how long tokens stay in the cache. Numbers may be typed; Return reads the text again "
                "with it.</p><table>%1</table>")
                 .arg(rows));
  label_->setObjectName(QStringLiteral("policyProblem"));
  label_->setWordWrap(true);
  label_->setTextFormat(Qt::PlainText);
  label_->setFixedHeight(problemLines * label_->fontMetrics().lineSpacing());
  label_->setAlignment(Qt::AlignLeft | Qt::AlignTop);

  view()->installEventFilter(this);
  lineEdit()->installEventFilter(this);
  connect(this, &QComboBox::activated, this, [this] {
    if (!checkPolicy()) return;
    if (std::exchange(wasListOpen_, false)) giveKeyboardBack();
    Q_EMIT chosen();
  });
  connect(lineEdit(), &QLineEdit::returnPressed, this, [this] {
    if (!checkPolicy()) return;
    lineEdit()->selectAll();
    Q_EMIT chosen();
  });
  connect(lineEdit(), &QLineEdit::editingFinished, this, &PolicyField::checkPolicy);
  // Half a policy is no mistake yet, but what was marked is not while it is being put right.
  connect(this, &QComboBox::currentTextChanged, this, [this] {
    if (parse_policy(policy().toStdString())) mark({});
  });
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, [this] { mark(problem_); });
}

void PolicyField::giveKeyboardBack() {
  clearFocus();
  lineEdit()->clearFocus();
  gaveKeyboardBack_ = true;
}

bool PolicyField::eventFilter(QObject* watched, QEvent* event) {
  if (watched == view() && event->type() == QEvent::Show) wasListOpen_ = true;
  // A key of the window comes as what may override it, and then not as one that was pressed.
  const bool isKey = event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride;
  if (watched != lineEdit() || !isKey) return QComboBox::eventFilter(watched, event);
  wasListOpen_ = false;
  if (static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) giveKeyboardBack();
  return false;
}

bool PolicyField::takeKeyboardAgain() {
  if (!std::exchange(gaveKeyboardBack_, false)) return false;
  setFocus(Qt::OtherFocusReason);  // Tab's reason would mark all of it
  return true;
}

bool PolicyField::checkPolicy() {
  mark(QString::fromStdString(policy_problem(policy().toStdString())));
  return problem_.isEmpty();
}

void PolicyField::mark(const QString& problem) {
  problem_ = problem;
  const bool isBad = !problem.isEmpty();
  const QString ink = problemInk(ThemeSwitch::instance().theme()).name();
  label_->setText(isBad ? QStringLiteral("▲ ") + problem : QString());
  label_->setStyleSheet(isBad ? QStringLiteral("color: ") + ink : QString());
  label_->setToolTip(problem);
  if (isBad) Q_EMIT marked();
}

}  // namespace natscope::ui
