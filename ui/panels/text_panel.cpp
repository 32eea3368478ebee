// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/text_panel.h"

#include <QComboBox>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/grouped_number.h"
#include "ui/models/runs/token_words.h"
#include "ui/panels/parts/flow_layout.h"
#include "ui/theme/style_sheet.h"
#include "ui/views/loss_look.h"

namespace natscope::ui {

TextPanel::TextPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      comparison_(comparison),
      text_(new TokenTextView(workbench.sequence(), workbench.selection(), this)),
      colouring_(new QComboBox(this)),
      legend_(new LossLegend(this)),
      words_(new QLabel(this)),
      search_(new SearchBar(workbench.search(), this)),
      followUp_(new FollowUpBar(workbench, this)) {
  drawAsPanel(*this);
  colouring_->setObjectName(QStringLiteral("colouring"));
  colouring_->setToolTip(tr("What the colours of the text mean (C)"));
  colouring_->addItems({tr("role in the chosen head"), tr("share of heads that hold it"), tr("surprise"),
                        tr("surprise against the kept run")});
  colouring_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  words_->setObjectName(QStringLiteral("muted"));
  words_->setTextFormat(Qt::PlainText);  // a method's name may look like a tag
  auto* const bar = new FlowLayout;
  bar->setContentsMargins(8, 5, 8, 2);
  bar->setSpacing(12);
  bar->addWidget(colouring_);
  bar->addWidget(legend_);
  bar->addWidget(words_);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(search_);
  layout->addWidget(text_, 1);
  layout->addWidget(followUp_);
  text_->setLosses(comparison_.losses());
  text_->setSearch(workbench_.search());
  connect(search_, &SearchBar::begun, text_, &TokenTextView::stayHere);
  connect(search_, &SearchBar::typed, text_, &TokenTextView::showFound);

  connect(colouring_, &QComboBox::currentIndexChanged, this, [this](int index) {
    text_->setColouring(static_cast<TextColouring>(index));
    explain();
  });
  const auto mark = [this] {
    text_->setPromptTokens(workbench_.client().promptTokens());
    text_->setFollowUps(workbench_.client().followUps());
  };
  const auto begin = [this, mark] {
    mark();
    explain();
  };
  connect(&workbench_.client(), &EngineClient::analysed, this, begin);
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, begin);
  connect(&workbench_.sequence(), &SequenceModel::extended, this, [this, mark] {
    if (!workbench_.client().followUps().empty()) mark();
    if (text_->colouring() == TextColouring::loss) explain();
  });
  connect(&comparison_.losses(), &LossDifference::changed, this, [this] {
    if (text_->colouring() == TextColouring::lossDifference) explain();
  });
  connect(&comparison_, &RunComparison::changed, this, [this] {
    // The colours of a run that is gone mean nothing; those of the losses alone are next to them.
    const bool isLost = !comparison_.kept() && text_->colouring() == TextColouring::lossDifference;
    if (isLost) colouring_->setCurrentIndex(static_cast<int>(TextColouring::loss));
  });
  connect(&workbench_.selection(), &Selection::headChanged, this, &TextPanel::explain);
  explain();
}

void TextPanel::resizeEvent(QResizeEvent* event) {
  followUp_->setRoom(height());
  QWidget::resizeEvent(event);
}

QString TextPanel::words() const { return words_->text(); }
QString TextPanel::meaning() const { return colouring_->currentText(); }

void TextPanel::explain() {
  const bool hasRoles = workbench_.sequence().hasRoles();
  const Selection& selection = workbench_.selection();
  const QString where = tr("layer %1, KV head %2").arg(selection.layer().value).arg(selection.kvHead().value);
  colouring_->setItemText(0, (hasRoles ? tr("role in %1") : tr("held in %1")).arg(where));
  if (text_->colouring() != TextColouring::loss) colouring_->setItemText(2, tr("surprise"));
  if (text_->colouring() != TextColouring::lossDifference)
    colouring_->setItemText(3, tr("surprise against the kept run"));
  switch (text_->colouring()) {
    case TextColouring::role:
      say(hasRoles ? tr("━ G global   ╍ L local   ┈ S sliding   faded: dropped")
                   : tr("faded: dropped; %1 has no roles").arg(workbench_.sequence().method()));
      break;
    case TextColouring::heldShare:
      say(tr("a mark as long as the share; empty: gone from every head"));
      break;
    case TextColouring::loss:
      explainLosses();
      break;
    case TextColouring::lossDifference:
      explainDifference();
      break;
  }
  const bool isOfLosses =
      text_->colouring() == TextColouring::loss || text_->colouring() == TextColouring::lossDifference;
  legend_->setVisible(isOfLosses);
}

void TextPanel::say(const QString& words, const QString& more) {
  words_->setText(words);
  words_->setToolTip(more);
  words_->setVisible(!words.isEmpty());  // without any, the text has the line
}

/// Means stand in the list's own field: a line of their own would be one less of the text.
void TextPanel::explainLosses() {
  const SequenceModel& sequence = workbench_.sequence();
  const auto prompt = std::min<std::int64_t>(workbench_.client().promptTokens(), sequence.size());
  const auto mean = sequence.meanLoss(prompt);
  if (!mean) {
    colouring_->setItemText(2, tr("surprise"));
    legend_->showLosses();
    return say(sequence.size() < 2      ? QString()
               : workbench_.recording() ? tr("this recording holds no probabilities: an earlier version made it")
                                        : tr("losses are not known"));
  }
  colouring_->setItemText(
      2, (prompt < sequence.size() ? tr("surprise: prompt's mean %1 nats") : tr("surprise: mean %1 nats"))
             .arg(*mean, 0, 'f', 3));
  legend_->showLosses(
      tr("The prompt: mean %1 nats over the %2 tokens that were predicted (all but the first), "
         "perplexity %3.")
          .arg(QString::number(*mean, 'f', 4), groupedNumber(prompt - 1), perplexityText(std::exp(*mean))));
  say({});
}

void TextPanel::explainDifference() {
  const LossDifference& losses = comparison_.losses();
  const QString why = losses.whyNone();
  if (!why.isEmpty()) {
    colouring_->setItemText(3, tr("surprise against the kept run"));
    legend_->showDifferences(losses.range());
    return say(why, losses.hasKept() ? QString()
                                     : tr("Keep this run, then analyse the same text under another policy, W or roles: "
                                          "the colours then say where it predicts worse, and where better."));
  }
  const QString mean = signedNats(losses.mean().value_or(0));
  // Of what was written, too: the mean of the prompt alone stands where one run's losses are explained.
  const bool isOfMore = losses.tokens() > workbench_.client().promptTokens();
  colouring_->setItemText(
      3, (isOfMore ? tr("surprise vs kept: mean %1, all %2").arg(mean, tokensInWords(losses.compared()))
                   : tr("surprise vs kept: mean %1").arg(mean)));
  QString more =
      tr("Over %1 tokens: mean %2 nats, %3 worse now, %4 better; less than 0.005 nats count as the same.")
          .arg(groupedNumber(losses.compared()), mean, groupedNumber(losses.worse()), groupedNumber(losses.better()));
  QString cut;
  if (losses.tokens() < workbench_.sequence().size()) {
    cut = tr("the same text up to token %1").arg(groupedNumber(losses.tokens() - 1));
    more += tr("\nBoth runs have the first %1 tokens in common; those after them do not compare.")
                .arg(groupedNumber(losses.tokens()));
  }
  legend_->showDifferences(losses.range(), more);
  say(cut, more);
}

void TextPanel::beginSearch() { search_->begin(); }

void TextPanel::findToken(std::int32_t token, const QString& name) { search_->beginToken(token, name); }

void TextPanel::nextColouring() {
  int next = (colouring_->currentIndex() + 1) % colouring_->count();
  if (next == static_cast<int>(TextColouring::lossDifference) && !comparison_.kept()) next = 0;
  colouring_->setCurrentIndex(next);
}

}  // namespace natscope::ui
