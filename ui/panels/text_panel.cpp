// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/text_panel.h"

#include <QComboBox>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/panels/flow_layout.h"

namespace natscope::ui {

TextPanel::TextPanel(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      text_(new TokenTextView(workbench.sequence(), workbench.selection(), this)),
      colouring_(new QComboBox(this)),
      search_(new SearchBar(workbench.search(), this)) {
  setObjectName(QStringLiteral("panel"));
  setAttribute(Qt::WA_StyledBackground);
  colouring_->addItems({tr("role in the chosen head"), tr("share of heads that hold it")});
  auto* const legend = new QLabel(this);
  legend->setObjectName(QStringLiteral("muted"));
  auto* const bar = new FlowLayout;
  bar->setContentsMargins(8, 5, 8, 2);
  bar->setSpacing(12);
  bar->addWidget(colouring_);
  bar->addWidget(legend);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(search_);
  layout->addWidget(text_, 1);

  const auto explain = [this, legend] {
    const bool hasRoles = workbench_.sequence().hasRoles();
    legend->setText(text_->colouring() != TextColouring::role
                        ? tr("a mark as long as the share; empty: gone from every head")
                    : hasRoles ? tr("━ G global   ╍ L local   ┈ S sliding   faded: dropped")
                               : tr("faded: dropped; H2O has no roles"));
    const Selection& selection = workbench_.selection();
    const QString where = tr("layer %1, KV head %2").arg(selection.layer().value).arg(selection.kvHead().value);
    colouring_->setItemText(0, (hasRoles ? tr("role in %1") : tr("held in %1")).arg(where));
  };
  connect(colouring_, &QComboBox::currentIndexChanged, this, [this, explain](int index) {
    text_->setColouring(index == 1 ? TextColouring::heldShare : TextColouring::role);
    explain();
  });
  connect(&workbench_.client(), &EngineClient::analysed, this,
          [this] { text_->setPromptTokens(workbench_.client().promptTokens()); });
  text_->setSearch(workbench_.search());
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, [this, explain] {
    text_->setPromptTokens(workbench_.client().promptTokens());
    explain();
  });
  connect(&workbench_.selection(), &Selection::headChanged, this, explain);
  explain();
}

void TextPanel::beginSearch() { search_->begin(); }

void TextPanel::toggleColouring() { colouring_->setCurrentIndex(1 - colouring_->currentIndex()); }

}  // namespace natscope::ui
