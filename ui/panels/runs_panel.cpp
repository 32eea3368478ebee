// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/runs_panel.h"

#include <QHeaderView>
#include <QMenu>
#include <QPainter>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <array>
#include <functional>
#include <utility>

#include "core/export/trade_off_chart.h"
#include "ui/figure/series_look.h"
#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/trade_off_view.h"
#include "ui/views/figure_table_delegate.h"

namespace natscope::ui {
namespace {

/// Shares of the cache that are offered beside the run's own.
constexpr std::array shares{0.5, 0.25, 0.125, 0.0625, 0.03125};

constexpr int markSize = 12;

/// A run's name behind the mark that it has in the chart.
class RunNames : public FigureTableDelegate {
 public:
  using LookOf = std::function<std::size_t(const QModelIndex&)>;

  RunNames(LookOf lookOf, QObject* parent) : FigureTableDelegate(parent), lookOf_(std::move(lookOf)) {}

 protected:
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    FigureTableDelegate::initStyleOption(option, index);
    const std::size_t look = lookOf_(index);
    const double scale = option->widget != nullptr ? option->widget->devicePixelRatioF() : 1;
    QPixmap mark((QSizeF(markSize, markSize) * scale).toSize());
    mark.setDevicePixelRatio(scale);
    mark.fill(Qt::transparent);
    QPainter painter(&mark);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.translate(markSize / 2.0, markSize / 2.0);
    const QColor colour(seriesColour(look));
    painter.setPen(QPen(colour, 1.4));
    painter.setBrush(isSeriesFilled(look) ? QBrush(colour) : QBrush(ThemeSwitch::instance().colours().panel));
    painter.drawPath(seriesMark(look, markSize / 3.0));
    painter.end();
    option->features |= QStyleOptionViewItem::HasDecoration;
    option->icon = QIcon(mark);
    option->decorationSize = QSize(markSize, markSize);
  }

 private:
  LookOf lookOf_;
};

/// A budget as it was asked for: 50 %, 12.5 %, 6.25 %, with no digit that says nothing.
QString budgetText(double share) { return QString::number(100 * share, 'g', 3) + QStringLiteral(" %"); }

}  // namespace

RunsPanel::RunsPanel(Workbench& workbench, RunComparison& comparison, BaselineRuns& baselines, QWidget* parent)
    : FigureTablePanel(workbench.sequence(), new QSortFilterProxyModel,
                       tr("A row chooses the run that the shown one is compared with. A header sorts. Ctrl+C copies "
                          "the selected rows."),
                       parent),
      comparison_(comparison),
      baselines_(baselines),
      list_(workbench, comparison),
      budgets_(new QMenu(this)),
      begin_(new QToolButton(this)),
      chart_(new TradeOffView(this)) {
  begin_->setText(tr("run the baselines"));
  drawWithFrame(*begin_);
  begin_->setPopupMode(QToolButton::InstantPopup);
  begin_->setMenu(budgets_);
  begin_->setToolTip(
      tr("<p>Reads the same text with full attention, a window, H2O, TOVA, StreamingLLM, SnapKV, PyramidKV and Ada-KV "
         "that hold as much as is chosen, keeps each run, and shows this one again.</p>"));
  addField(begin_);
  auto* const parts = new QSplitter(this);
  parts->setObjectName(QStringLiteral("runsParts"));  // under which its positions are remembered
  parts->setChildrenCollapsible(false);
  layout()->removeWidget(&table());
  parts->addWidget(&table());
  parts->addWidget(chart_);
  parts->setStretchFactor(0, 3);
  parts->setStretchFactor(1, 2);
  static_cast<QVBoxLayout*>(layout())->addWidget(parts, 1);
  table().sortByColumn(-1, Qt::AscendingOrder);
  table().setItemDelegateForColumn(
      0, new RunNames(
             [this](const QModelIndex& index) {
               const auto row = static_cast<std::size_t>(sorted().mapToSource(index).row());
               return TradeOffView::lookOf(row < rows_.size() ? rows_[row].figures : RunRow{});
             },
             &table()));
  connect(budgets_, &QMenu::aboutToShow, this, &RunsPanel::fillBudgets);
  connect(chart_, &TradeOffView::rowChosen, this, &RunsPanel::choose);
  connect(&comparison_, &RunComparison::changed, this, &RunsPanel::follow);
  connect(&baselines_, &BaselineRuns::changed, this, &RunsPanel::follow);
  connect(&workbench, &Workbench::stateChanged, this, &RunsPanel::followSoon);
  fillBudgets();
  RunsPanel::refresh();
  table().horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
}

void RunsPanel::fillBudgets() {
  budgets_->clear();
  const double own = baselines_.ownBudget();
  // What was written behind the prompt belongs to the run that wrote it: the table compares prompts.
  const bool isPromptAlone = baselines_.isOfPromptAlone();
  if (own > 0 && own < 1)
    budgets_->addAction((isPromptAlone ? tr("that hold as much as this run: %1")
                                       : tr("that hold as much as this run after its prompt: %1"))
                            .arg(budgetText(own)),
                        this, [this] { baselines_.begin(baselines_.ownBudget()); });
  if (const double now = baselines_.presentBudget(); !isPromptAlone && now > 0 && now < 1)
    budgets_->addAction(tr("that hold as much as this run now: %1").arg(budgetText(now)), this,
                        [this] { baselines_.beginAtPresent(); });
  for (const double budget : shares)
    budgets_->addAction(tr("that hold %1").arg(budgetText(budget)), this, [this, budget] { baselines_.begin(budget); });
  for (QAction* const action : budgets_->actions()) action->setEnabled(baselines_.canBegin());
}

void RunsPanel::follow() {
  if (isVisible()) refresh();
}

void RunsPanel::refresh() {
  rows_ = list_.rows();
  std::vector<RunRow> figures;
  int compared = -1;
  for (const RunList::Row& row : rows_) {
    if (row.isCompared && row.kept) compared = static_cast<int>(figures.size());
    figures.push_back(row.figures);
  }
  setTable(run_table(figures));
  setCurrent(compared);
  chart_->setRows(rows_);
  begin_->setEnabled(baselines_.canBegin());
  if (baselines_.isRunning()) return say(tr("Reading the text under other policies, %1").arg(baselines_.words()));
  if (rows_.empty()) return say(tr("Runs appear when a text was analysed."));
  const qsizetype others = static_cast<qsizetype>(rows_.size()) - (list_.hasShown() ? 1 : 0);
  if (others == 0) return say(tr("The run that is shown; none is kept beside it"));
  QString words = tr("The run that is shown, and %1 kept: over their prompts").arg(others);
  const auto isOfAnother = [&](const RunList::Row& row) { return row.figures.model != rows_.front().figures.model; };
  const bool areOfSeveral = std::ranges::any_of(rows_, isOfAnother);
  const std::string trained = areOfSeveral ? std::string() : list_.trainedWith();
  if (areOfSeveral) words += tr("; of several models: only policies of one model differ by the policy alone");
  if (trained == "model") words += tr("; the model was trained with its learned roles, not under the others");
  if (!trained.empty() && trained != "model" && trained != "full")
    words += tr("; the model was trained under %1, not under the others").arg(QString::fromStdString(trained));
  say(words);
}

void RunsPanel::choose(std::size_t row) {
  if (row < rows_.size() && rows_[row].kept) comparison_.choose(*rows_[row].kept);
}

SeriesChart RunsPanel::figure() const {
  std::vector<PolicyOutcome> outcomes;
  std::vector<RunRow> drawn;
  for (const RunList::Row& row : rows_) {
    const std::optional<double> perplexity = perplexity_of(row.figures);
    if (!row.figures.is_same_text || !perplexity) continue;
    outcomes.push_back({row.figures.policy, row.figures.outcome.figures.fraction, *perplexity,
                        row.figures.is_set_by_hand ? row.figures.name : std::string(), 0, row.figures.model});
    drawn.push_back(row.figures);
  }
  SeriesChart chart = trade_off_chart(outcomes, list_.trainedWith(), "after the prompt");
  chart.provenance = run_provenance(drawn);
  return chart;
}

}  // namespace natscope::ui
