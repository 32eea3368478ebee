// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFontDatabase>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QTimer>
#include <algorithm>

#include "core/export/data_files.h"

namespace natscope::ui {
namespace {

enum Part { inView, whole, typed };
/// What can be exported, in the order of the list. A text stands there twice: one head's roles, all heads' shares.
constexpr FigureKind kinds[] = {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::text,
                                FigureKind::text,      FigureKind::kv,   FigureKind::heads, FigureKind::overview};
constexpr int textOfAllHeads = 4;
constexpr int commandLines = 4;
constexpr int copiedMs = 1500;

bool isMap(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::mask; }

bool isDrawn(const QString& ending) {
  return ending == QLatin1String("png") || ending == QLatin1String("svg") || ending == QLatin1String("pdf");
}

/// What a file of numbers holds, in one line.
QString contents(FigureKind kind, const QString& ending) {
  if (isDrawn(ending)) return ExportDialog::tr("a figure, with where it comes from in its metadata");
  const bool isNpy = ending == QLatin1String("npy");
  QString holds;
  switch (kind) {
    case FigureKind::attention:
      holds = isNpy ? ExportDialog::tr("F32 [queries, keys]") : ExportDialog::tr("weights, a row a query");
      break;
    case FigureKind::mask:
      holds = isNpy ? ExportDialog::tr("U8 [queries, keys]") : ExportDialog::tr("0 or 1, a row a query");
      break;
    case FigureKind::roles:
      holds = isNpy ? ExportDialog::tr("U8 [layers, KV heads, T]: 0 G, 1 L, 2 S") : ExportDialog::tr("0 G, 1 L, 2 S");
      break;
    case FigureKind::kv:
      holds = isNpy ? ExportDialog::tr("I32 [T, layers, KV heads]") : ExportDialog::tr("entries after every token");
      break;
    case FigureKind::overview:
      holds = isNpy ? ExportDialog::tr("F32 [layers, heads, S, S], cells as on screen: the largest weights")
                    : ExportDialog::tr("the largest weight of each cell");
      break;
    case FigureKind::text:
      holds = ExportDialog::tr("a token a row: its role, whether it is held, by which share of heads");
      break;
    case FigureKind::heads:
      holds = isNpy ? ExportDialog::tr("F64 [heads, columns]") : ExportDialog::tr("a row a head");
      break;
  }
  return ending == QLatin1String("json") ? holds + ExportDialog::tr(", and where it comes from")
                                         : holds + ExportDialog::tr("; where it comes from in FILE.json beside it");
}

}  // namespace

ExportDialog::ExportDialog(const ShownMap& shown, FigureKind kind, Theme theme, const QString& folder,
                           ExportOrigin origin, std::shared_ptr<const KeptRun> kept, QWidget* parent)
    : QDialog(parent),
      shown_(shown),
      folder_(folder.isEmpty() ? QDir::homePath() : folder),
      origin_(std::move(origin)),
      kept_(std::move(kept)),
      kind_(new QComboBox(this)),
      part_(new QComboBox(this)),
      firstQuery_(new QSpinBox(this)),
      lastQuery_(new QSpinBox(this)),
      firstKey_(new QSpinBox(this)),
      lastKey_(new QSpinBox(this)),
      layers_(new QComboBox(this)),
      format_(new QComboBox(this)),
      theme_(new QComboBox(this)),
      texts_(new QComboBox(this)),
      colours_(new QComboBox(this)),
      scale_(new QComboBox(this)),
      clip_(new QDoubleSpinBox(this)),
      normalise_(new QComboBox(this)),
      hideSink_(new QCheckBox(tr("leave key 0 out"), this)),
      beside_(new QCheckBox(this)),
      dpi_(new QSpinBox(this)),
      holds_(new QLabel(this)),
      command_(new QPlainTextEdit(this)),
      copy_(new QPushButton(tr("Copy command"), this)) {
  setWindowTitle(tr("Export"));
  setAttribute(Qt::WA_DeleteOnClose);
  kind_->addItems({tr("Attention map: layer %1, head %2").arg(shown.map.layer.value).arg(shown.map.head.value),
                   tr("Mask: layer %1, head %2").arg(shown.map.layer.value).arg(shown.map.head.value), tr("Role map"),
                   tr("Text: roles in layer %1, head %2").arg(shown.map.layer.value).arg(shown.map.head.value),
                   tr("Text: share of heads that hold it"), tr("KV cache chart"), tr("Table of heads"),
                   tr("Maps of all heads")});
  kind_->setCurrentIndex(static_cast<int>(std::find(std::begin(kinds), std::end(kinds), kind) - std::begin(kinds)));
  part_->setObjectName(QStringLiteral("part"));
  part_->addItems({tr("what is in view"), tr("the whole map"), tr("these positions")});
  if (shown.queries.size() == shown.tokens && shown.keys.size() == shown.tokens) part_->setCurrentIndex(whole);
  layers_->setObjectName(QStringLiteral("layers"));
  layers_->addItems({tr("all"), tr("layer %1").arg(shown.map.layer.value)});
  theme_->addItems({tr("light"), tr("dark")});
  theme_->setCurrentIndex(theme == Theme::dark ? 1 : 0);
  texts_->addItems({tr("tokens where they fit"), tr("tokens"), tr("positions")});
  for (const ColourMap map : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis})
    colours_->addItem(QLatin1String(name(map)));
  colours_->setCurrentText(QLatin1String(name(shown.colours)));
  scale_->addItems({tr("linear"), tr("log")});
  scale_->setCurrentIndex(shown.scale.kind == ScaleKind::log ? 1 : 0);
  clip_->setRange(0.1, 100);
  clip_->setDecimals(1);
  clip_->setSuffix(QStringLiteral(" %"));
  clip_->setValue(shown.scale.clip_percentile);
  clip_->setToolTip(tr("The colours end at this percentile of the visible weights"));
  normalise_->addItems({tr("weights as they are"), tr("each row by its largest weight")});
  normalise_->setCurrentIndex(shown.scale.normalise == Normalise::row ? 1 : 0);
  hideSink_->setChecked(shown.scale.hide_sink);
  hideSink_->setToolTip(tr("Leave token 0, the attention sink, out of the map and its colour range"));
  beside_->setObjectName(QStringLiteral("beside"));
  beside_->setText(kept_ ? tr("with the kept run: %1").arg(kept_->name) : tr("with the kept run (none is kept)"));
  beside_->setChecked(kept_ != nullptr);
  dpi_->setRange(36, 2400);
  dpi_->setValue(300);
  dpi_->setSingleStep(50);
  makeRanges();
  makeForm();
  showRanges();
  follow();
}

void ExportDialog::makeRanges() {
  const std::pair<QSpinBox*, QString> fields[] = {{firstQuery_, QStringLiteral("firstQuery")},
                                                  {lastQuery_, QStringLiteral("lastQuery")},
                                                  {firstKey_, QStringLiteral("firstKey")},
                                                  {lastKey_, QStringLiteral("lastKey")}};
  for (const auto& [field, name] : fields) {
    field->setObjectName(name);
    field->setRange(0, static_cast<int>(std::max<std::int64_t>(1, shown_.tokens)) - 1);
    field->setAccelerated(true);
    connect(field, &QSpinBox::valueChanged, this, &ExportDialog::follow);
  }
  connect(part_, &QComboBox::currentIndexChanged, this, &ExportDialog::showRanges);
}

/// The fields say which positions the choice means; those that are typed begin with them.
void ExportDialog::showRanges() {
  if (part_->currentIndex() == typed) return;
  const PositionRange all{0, static_cast<std::int32_t>(shown_.tokens)};
  const PositionRange queries = part_->currentIndex() == inView ? shown_.queries : all;
  const PositionRange keys = part_->currentIndex() == inView ? shown_.keys : all;
  const std::pair<QSpinBox*, int> values[] = {
      {firstQuery_, queries.begin}, {lastQuery_, queries.end - 1}, {firstKey_, keys.begin}, {lastKey_, keys.end - 1}};
  for (const auto& [field, value] : values) {
    const QSignalBlocker quiet(field);
    field->setValue(value);
  }
}

QWidget* ExportDialog::rangeLine(QSpinBox* first, QSpinBox* last) {
  auto* const both = new QWidget(this);
  auto* const line = new QHBoxLayout(both);
  line->setContentsMargins(0, 0, 0, 0);
  line->addWidget(first, 1);
  line->addWidget(new QLabel(tr("to"), both));
  line->addWidget(last, 1);
  return both;
}

void ExportDialog::makeForm() {
  holds_->setObjectName(QStringLiteral("muted"));
  command_->setReadOnly(true);
  command_->setTabChangesFocus(true);
  command_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  command_->setFixedHeight(command_->fontMetrics().lineSpacing() * commandLines + 14);
  command_->setMinimumWidth(command_->fontMetrics().averageCharWidth() * 62);
  command_->setToolTip(tr("Writes the same from a shell, without the window"));
  auto* const form = new QFormLayout(this);
  form->addRow(tr("&What"), kind_);
  form->addRow(tr("&Part"), part_);
  form->addRow(tr("Queries"), rangeLine(firstQuery_, lastQuery_));
  form->addRow(tr("Keys"), rangeLine(firstKey_, lastKey_));
  form->addRow(tr("La&yers"), layers_);
  form->addRow(tr("&Format"), format_);
  form->addRow(QString(), holds_);
  form->addRow(tr("&Scale"), scale_);
  form->addRow(tr("C&lip"), clip_);
  form->addRow(tr("&Normalise"), normalise_);
  form->addRow(tr("Sin&k"), hideSink_);
  form->addRow(tr("&Beside"), beside_);
  form->addRow(tr("Col&ours"), colours_);
  form->addRow(tr("&Theme"), theme_);
  form->addRow(tr("&Axes"), texts_);
  form->addRow(tr("&Resolution (png)"), dpi_);
  form->addRow(tr("Co&mmand"), command_);
  auto* const buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Cancel, this);
  buttons->button(QDialogButtonBox::Save)->setText(tr("Export …"));
  buttons->addButton(copy_, QDialogButtonBox::ActionRole);
  form->addRow(buttons);
  connect(buttons, &QDialogButtonBox::accepted, this, &ExportDialog::choosePath);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(copy_, &QPushButton::clicked, this, &ExportDialog::copyCommand);
  for (QComboBox* const box : {kind_, part_, layers_, format_, theme_, texts_, colours_, scale_, normalise_})
    connect(box, &QComboBox::currentIndexChanged, this, &ExportDialog::follow);
  connect(clip_, &QDoubleSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(dpi_, &QSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(hideSink_, &QCheckBox::toggled, this, &ExportDialog::follow);
  connect(beside_, &QCheckBox::toggled, this, &ExportDialog::follow);
}

FigureKind ExportDialog::kind() const { return kinds[std::max(0, kind_->currentIndex())]; }

bool ExportDialog::isTextOfAllHeads() const { return kind_->currentIndex() == textOfAllHeads; }

void ExportDialog::setFormat(const QString& ending) { format_->setCurrentText(ending); }

void ExportDialog::follow() {
  QStringList endings{QStringLiteral("png"), QStringLiteral("svg"),  QStringLiteral("pdf"),
                      QStringLiteral("csv"), QStringLiteral("json"), QStringLiteral("npy")};
  endings.removeIf([this](const QString& ending) {
    const auto format = export_format(std::filesystem::path("x." + ending.toStdString()));
    return !format || !check_format(kind(), *format);
  });
  if (format_->count() != endings.size()) {
    const QSignalBlocker quiet(format_);
    const QString before = format_->currentText();
    format_->clear();
    format_->addItems(endings);
    if (endings.contains(before)) format_->setCurrentText(before);
  }
  const bool isFigure = isDrawn(format_->currentText());
  const bool isAttention = kind() == FigureKind::attention;
  const bool isOverview = kind() == FigureKind::overview;
  part_->setEnabled(isMap(kind()));
  for (QSpinBox* const field : {firstQuery_, lastQuery_, firstKey_, lastKey_})
    field->setEnabled(isMap(kind()) && part_->currentIndex() == typed);
  layers_->setEnabled(isOverview);
  // Numbers are normalised and lose the sink as figures do; colours are figures' alone.
  normalise_->setEnabled(isAttention);
  hideSink_->setEnabled(isAttention || isOverview);
  for (QWidget* const field : std::initializer_list<QWidget*>{scale_, clip_})
    field->setEnabled((isAttention || isOverview) && isFigure);
  colours_->setEnabled((isMap(kind()) || isOverview) && isFigure);
  theme_->setEnabled(isFigure);
  texts_->setEnabled(isFigure && (isMap(kind()) || kind() == FigureKind::roles));
  beside_->setEnabled(kept_ != nullptr && kind() == FigureKind::kv && isFigure);
  dpi_->setEnabled(format_->currentText() == QLatin1String("png"));
  holds_->setText(contents(kind(), format_->currentText()));
  command_->setPlainText(exportCommand(request(proposedName()), origin_, shown_.tokens));
}

QString ExportDialog::command() const { return command_->toPlainText(); }

void ExportDialog::copyCommand() {
  QGuiApplication::clipboard()->setText(command());
  copy_->setText(tr("Copied"));
  QTimer::singleShot(copiedMs, copy_, [button = copy_] { button->setText(tr("Copy command")); });
}

QString ExportDialog::proposedName() const {
  QString base = QLatin1String(name(kind()));
  if (isMap(kind()) || (kind() == FigureKind::text && !isTextOfAllHeads()))
    base += QStringLiteral("-l%1h%2").arg(shown_.map.layer.value).arg(shown_.map.head.value);
  if (kind() == FigureKind::overview && layers_->currentIndex() > 0)
    base += QStringLiteral("-l%1").arg(shown_.map.layer.value);
  return QDir(folder_).filePath(base + QLatin1Char('.') + format_->currentText());
}

void ExportDialog::choosePath() {
  auto* const files = new QFileDialog(this, tr("Export to"), proposedName());
  files->setAttribute(Qt::WA_DeleteOnClose);
  files->setAcceptMode(QFileDialog::AcceptSave);
  files->setDefaultSuffix(format_->currentText());
  files->setNameFilters({QStringLiteral("*.%1").arg(format_->currentText())});
  files->selectFile(proposedName());
  connect(files, &QFileDialog::fileSelected, this, [this](const QString& path) {
    Q_EMIT wanted(request(path));
    accept();
  });
  files->open();
}

ExportRequest ExportDialog::request(const QString& path) const {
  ExportRequest request;
  request.kind = kind();
  request.map = shown_.map;
  const PositionRange all{0, static_cast<std::int32_t>(shown_.tokens)};
  // Both ends are part of it, in whichever order they stand.
  const auto between = [](const QSpinBox* first, const QSpinBox* last) {
    const auto [low, high] = std::minmax({first->value(), last->value()});
    return PositionRange{low, high + 1};
  };
  request.queries = between(firstQuery_, lastQuery_);
  request.keys = between(firstKey_, lastKey_);
  request.options.theme = theme_->currentIndex() == 1 ? Theme::dark : Theme::light;
  request.options.dpi = dpi_->value();
  request.options.colours = colour_map(colours_->currentText().toStdString()).value_or(ColourMap::viridis);
  request.options.scale.kind = scale_->currentIndex() == 1 ? ScaleKind::log : ScaleKind::linear;
  request.options.scale.clip_percentile = clip_->value();
  request.options.scale.normalise = normalise_->currentIndex() == 1 ? Normalise::row : Normalise::none;
  request.options.scale.hide_sink = hideSink_->isChecked();
  request.options.texts = static_cast<AxisTexts>(texts_->currentIndex());
  if (request.kind == FigureKind::overview && layers_->currentIndex() > 0) request.layer = shown_.map.layer;
  if (beside_->isEnabled() && beside_->isChecked()) request.beside = kept_;
  request.isOfAllHeads = isTextOfAllHeads();
  if (request.kind == FigureKind::text) request.keys = all;
  request.path = path.toStdString();
  return request;
}

}  // namespace natscope::ui
