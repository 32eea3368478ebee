// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/facts_line.h"

#include <QHBoxLayout>
#include <QLabel>

#include "ui/panels/parts/labelled_value.h"
#include "ui/theme/theme.h"

namespace natscope::ui {

FactsLine::FactsLine(Workbench& workbench, QWidget* parent)
    : QWidget(parent), workbench_(workbench), line_(new QHBoxLayout(this)) {
  line_->setContentsMargins(6, 0, 10, 2);
  line_->setSpacing(14);
  connect(&workbench_, &Workbench::stateChanged, this, &FactsLine::refresh);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &FactsLine::refresh);
}

QString FactsLine::text() const {
  QStringList words;
  for (const RunFact& fact : facts_) words.append(fact.label + QLatin1Char(' ') + fact.value);
  return words.join(QStringLiteral(" · "));
}

void FactsLine::refresh() {
  facts_ = runFacts(workbench_.client());
  const RunFact perplexity = perplexityFact(workbench_.sequence(), workbench_.client().promptTokens());
  if (!perplexity.value.isEmpty()) facts_.append(perplexity);
  while (labels_.size() < facts_.size()) {
    labels_.append(new QLabel(this));
    labels_.last()->setTextFormat(Qt::RichText);
    line_->addWidget(labels_.last());
  }
  for (qsizetype i = 0; i < labels_.size(); ++i) {
    const bool isThere = i < facts_.size();
    labels_[i]->setVisible(isThere);
    if (!isThere) continue;
    const QString words = labelledValue(facts_[i].label, facts_[i].value);
    if (labels_[i]->text() != words) labels_[i]->setText(words);
    labels_[i]->setToolTip(facts_[i].meaning);
  }
}

}  // namespace natscope::ui
