// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/roles_panel.h"

#include <QHBoxLayout>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/grouped_number.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {

RolesPanel::RolesPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      comparison_(comparison),
      map_(new RoleMapView(workbench.sequence(), workbench.selection(), this)),
      bar_(new QWidget(this)),
      shows_(new QComboBox(bar_)),
      changesBar_(new QWidget(this)),
      changes_(new QLabel(changesBar_)),
      takeBack_(new QPushButton(changesBar_)) {
  drawAsPanel(*this);
  shows_->addItems({tr("roles of this run"), tr("roles of the kept run"), tr("which cache holds what")});
  shows_->setToolTip(tr("This run, the kept one, or the entries that each of them holds (R)"));
  auto* const line = new QHBoxLayout(bar_);
  line->setContentsMargins(8, 5, 8, 0);
  line->addWidget(shows_);
  line->addStretch(1);
  auto* const changesLine = new QHBoxLayout(changesBar_);
  changesLine->setContentsMargins(8, 5, 8, 0);
  changesLine->addWidget(changes_, 1);
  changes_->setTextFormat(Qt::PlainText);
  // A narrow dock cuts the words; they do not widen it.
  changes_->setMinimumWidth(1);
  changes_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  changes_->setObjectName(QStringLiteral("roleChanges"));
  takeBack_->setObjectName(QStringLiteral("takeRolesBack"));
  takeBack_->setText(tr("Reset"));
  takeBack_->setToolTip(tr("Window and roles as model and policy decide them again"));
  QSizePolicy kept = takeBack_->sizePolicy();
  kept.setRetainSizeWhenHidden(true);
  takeBack_->setSizePolicy(kept);
  changesLine->addWidget(takeBack_);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(bar_);
  layout->addWidget(changesBar_);
  map_->setSearch(workbench.search());
  layout->addWidget(map_, 1);
  connect(shows_, &QComboBox::currentIndexChanged, this,
          [this](int index) { map_->setShows(static_cast<RoleMapShows>(index)); });
  connect(&comparison_, &RunComparison::changed, this, &RolesPanel::follow);
  connect(&workbench_.client(), &EngineClient::analysed, this, &RolesPanel::follow);
  connect(&workbench_.client(), &EngineClient::sequenceRestored, this, &RolesPanel::follow);
  connect(takeBack_, &QPushButton::clicked, this, [this] { workbench_.changeRoles({}); });
  connect(&workbench_, &Workbench::roleChangesChanged, this, &RolesPanel::followChanges);
  for (const auto signal : {&EngineClient::sequenceStarted, &EngineClient::sequenceRestored, &EngineClient::analysed})
    connect(&workbench_.client(), signal, this, &RolesPanel::followChanges);
  connect(&workbench_.client(), &EngineClient::modelIdentified, this, &RolesPanel::followChanges);
  connect(&workbench_, &Workbench::modelOpened, this, &RolesPanel::followChanges);
  connect(map_, &RoleMapView::menuWanted, this, [this](LayerId layer, KvHeadId kvHead, TokenPos position, QPoint at) {
    Selection& selection = workbench_.selection();
    selection.setLayerAndKvHead(layer, kvHead);
    selection.pin(position);  // nothing where this run has no such token
    auto* const menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    if (map_->shows() == RoleMapShows::kept) {
      menu->addAction(tr("The kept run stays as it was: roles are set in this run"))->setEnabled(false);
    } else {
      // Of the difference, too: what is set changes this run, and with it the difference.
      fillRoleMenu(*menu, layer, kvHead, position);
    }
    menu->popup(at);
  });
  follow();
  followChanges();
}

QSize RolesPanel::minimumSizeHint() const {
  const QSize least = QWidget::minimumSizeHint();
  return bar_->isHidden() ? least : least - QSize(0, bar_->minimumSizeHint().height());
}

void RolesPanel::followChanges() {
  // Of a recording and of another model's run nothing can be done again; they only say what they were made with.
  const bool isRecorded = workbench_.recording() != nullptr || workbench_.client().isOfAnotherModel();
  // Which weights a model has is known some time after it is open: until then the run is the one that it was.
  const bool isOfOther = isRecorded || !workbench_.client().isOfOpenModel();
  const RoleChanges& changes = isOfOther ? workbench_.analysedChanges() : workbench_.roleChanges();
  // The line stays where it is: the map must not move under the cursor that changes it.
  takeBack_->setVisible(!isRecorded && !changes.isEmpty());
  changes_->setEnabled(!changes.isEmpty());
  changes_->setText(changes.isEmpty()
                        ? (workbench_.sequence().hasRoles()
                               ? tr("Roles as policy and model decide")
                               : tr("%1 has no roles that could be set").arg(workbench_.sequence().method()))
                        : (isRecorded ? tr("Made with: %1") : tr("Changed: %1")).arg(changes.inWords()));
  changes_->setToolTip(changes.isEmpty() ? tr("A right click on the map sets a token's role") : changes_->text());
  map_->setForced(changes.forced);
}

void RolesPanel::fillRoleMenu(QMenu& menu, LayerId layer, KvHeadId kvHead, TokenPos position) {
  menu.clear();
  const SequenceRecord& record = workbench_.sequence().record();
  const CacheGeometry& geometry = record.geometry();
  const bool isThere = position.value >= 0 && position.value < record.size() && layer.value < geometry.layers &&
                       kvHead.value < geometry.kv_heads && workbench_.canContinue();
  if (!workbench_.sequence().hasRoles()) {
    menu.addAction(tr("%1 has no roles to set").arg(workbench_.sequence().method()))->setEnabled(false);
  } else if (isThere) {
    addRoleActions(menu, layer, kvHead, position);
  } else {
    menu.addAction(tr("No token is pinned, or nothing can be analysed now"))->setEnabled(false);
  }
}

void RolesPanel::addRoleActions(QMenu& menu, LayerId layer, KvHeadId kvHead, TokenPos position) {
  const Role now = workbench_.sequence().record().roles(layer, kvHead)[static_cast<std::size_t>(position.value)];
  const std::pair<Role, QString> roles[] = {
      {Role::global, tr("Global")}, {Role::local, tr("Local")}, {Role::sliding, tr("Sliding")}};
  menu.addAction(
          tr("Token %1 in layer %2, KV head %3:").arg(groupedNumber(position.value)).arg(layer.value).arg(kvHead.value))
      ->setEnabled(false);
  for (const auto& [role, text] : roles) {
    QAction* const action =
        menu.addAction(text, this, [=, this, which = role] { setRole(layer, kvHead, position, false, which); });
    action->setCheckable(true);
    action->setChecked(role == now);
  }
  const auto& forced = workbench_.roleChanges().forced;
  const bool isForced = std::ranges::any_of(forced, [&](const ForcedRole& one) { return one.position == position; });
  menu.addAction(tr("As the policy decides"), this,
                 [=, this] { setRole(layer, kvHead, position, false, std::nullopt); })
      ->setEnabled(workbench_.roleChanges().find(layer, kvHead, position) != nullptr);
  QMenu* const all = menu.addMenu(tr("In all heads of all layers"));
  for (const auto& [role, text] : roles)
    all->addAction(text, this, [=, this, which = role] { setRole(layer, kvHead, position, true, which); });
  all->addAction(tr("As the policy decides"), this, [=, this] { setRole(layer, kvHead, position, true, std::nullopt); })
      ->setEnabled(isForced);
}

void RolesPanel::setRole(LayerId layer, KvHeadId kvHead, TokenPos position, bool everywhere, std::optional<Role> role) {
  RoleChanges changes = workbench_.roleChanges();
  if (!everywhere) {
    if (role)
      changes.force({layer, kvHead, position, *role});
    else
      changes.release(layer, kvHead, position);
  } else {
    changes.releaseAll(position);
    const CacheGeometry& geometry = workbench_.sequence().record().geometry();
    for (std::int32_t l = 0; role && l < geometry.layers; ++l) {
      for (std::int32_t h = 0; h < geometry.kv_heads; ++h)
        changes.forced.push_back({LayerId(l), KvHeadId(h), position, *role});
    }
  }
  workbench_.changeRoles(changes);
}

void RolesPanel::follow() {
  const auto& kept = comparison_.kept();
  bar_->setVisible(kept != nullptr);
  const SequenceRecord& record = workbench_.sequence().record();
  const bool isOfOther = kept && record.size() > 1 && !have_same_beginning(record, kept->record, 2);
  shows_->setItemText(1, isOfOther ? tr("roles of the kept run, of another text") : tr("roles of the kept run"));
  map_->setKept(kept);
  if (!comparison_.kept()) shows_->setCurrentIndex(0);
}

void RolesPanel::showNext() {
  if (comparison_.kept()) shows_->setCurrentIndex((shows_->currentIndex() + 1) % shows_->count());
}

}  // namespace natscope::ui
