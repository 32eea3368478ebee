// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"
#include "ui/models/grouped_number.h"

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
#include <QVBoxLayout>
#include <algorithm>

#include "core/export/data_files.h"
#include "ui/panels/parts/range_field.h"
#include "ui/panels/parts/scrolled_area.h"

namespace natscope::ui {
namespace {

enum Part { inView, whole, typed };
/// A long text's tokens stand in it one by one.
constexpr qsizetype mostShownOfCommand = 4000;
constexpr int commandLines = 4;
constexpr int leastFormHeight = 160;
constexpr int copiedMs = 1500;

bool isMap(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::mask; }

bool isDrawn(const QString& ending) {
  return ending == QLatin1String("png") || ending == QLatin1String("svg") || ending == QLatin1String("pdf");
}

/// What a file of numbers holds, in one line.
QString contents(const ExportChoice& choice, const QString& ending) {
  const FigureKind kind = choice.kind;
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
      holds = choice.isCompared ? ExportDialog::tr("0 neither, 1 both, 2 this run only, 3 the kept one only")
              : isNpy           ? ExportDialog::tr("U8 [layers, KV heads, T]: 0 G, 1 L, 2 S")
                                : ExportDialog::tr("0 G, 1 L, 2 S");
      break;
    case FigureKind::kv:
      holds = isNpy ? ExportDialog::tr("I32 [T, layers, KV heads]") : ExportDialog::tr("entries after every token");
      break;
    case FigureKind::overview:
      holds = isNpy ? ExportDialog::tr("F32 [layers, heads, S, S], cells as on screen: the largest weights")
                    : ExportDialog::tr("the largest weight of each cell");
      break;
    case FigureKind::text:
      holds = choice.text != TextColours::losses
                  ? ExportDialog::tr("a token a row: its role, whether it is held, by which share of heads")
              : choice.isCompared
                  ? ExportDialog::tr("a token a row: its loss in both runs and their difference, in nats")
                  : ExportDialog::tr("a token a row: its loss in nats");
      break;
    case FigureKind::heads:
      holds = isNpy ? ExportDialog::tr("F64 [heads, columns]") : ExportDialog::tr("a row a head");
      break;
    case FigureKind::statistics:
      holds = isNpy ? ExportDialog::tr("F64 [heads, columns]")
                    : ExportDialog::tr("a row a query head: entropy, weight on the first token and on itself");
      break;
    case FigureKind::vocabulary:
      holds = ExportDialog::tr("a row a token of the vocabulary that occurs");
      break;
  }
  return ending == QLatin1String("json") ? holds + ExportDialog::tr(", and where it comes from")
                                         : holds + ExportDialog::tr("; where it comes from in FILE.json beside it");
}

}  // namespace

ExportDialog::ExportDialog(const ShownMap& shown, const ExportChoice& first, Theme theme, const QString& folder,
                           ExportOrigin origin, std::shared_ptr<const KeptRun> kept, QWidget* parent)
    : QDialog(parent),
      shown_(shown),
      folder_(folder.isEmpty() ? QDir::homePath() : folder),
      origin_(std::move(origin)),
      kept_(std::move(kept)),
      form_(new QFormLayout),
      kind_(new QComboBox(this)),
      part_(new QComboBox(this)),
      firstQuery_(new QSpinBox(this)),
      lastQuery_(new QSpinBox(this)),
      firstKey_(new QSpinBox(this)),
      lastKey_(new QSpinBox(this)),
      layers_(new QComboBox(this)),
      format_(new QComboBox(this)),
      scale_(new QComboBox(this)),
      clip_(new QDoubleSpinBox(this)),
      range_(new RangeField(this)),
      normalise_(new QComboBox(this)),
      hideSink_(new QCheckBox(tr("leave key 0 out"), this)),
      beside_(new QCheckBox(this)),
      colours_(new QComboBox(this)),
      theme_(new QComboBox(this)),
      texts_(new QComboBox(this)),
      unit_(new QComboBox(this)),
      dpi_(new QSpinBox(this)),
      width_(new QDoubleSpinBox(this)),
      cell_(new QSpinBox(this)),
      holds_(new QLabel(this)),
      command_(new QPlainTextEdit(this)),
      copy_(new QPushButton(tr("Copy command"), this)),
      saveKept_(new QPushButton(tr("Save the kept run …"), this)) {
  setWindowTitle(tr("Export"));
  setAttribute(Qt::WA_DeleteOnClose);
  addChoices(first);
  part_->setObjectName(QStringLiteral("part"));
  part_->addItems({tr("what is in view"), tr("the whole map"), tr("these positions")});
  if (shown.queries.size() == shown.tokens && shown.keys.size() == shown.tokens) part_->setCurrentIndex(whole);
  layers_->setObjectName(QStringLiteral("layers"));
  layers_->addItems({tr("all"), tr("layer %1").arg(shown.map.layer.value)});
  theme_->addItems({tr("light"), tr("dark")});
  theme_->setCurrentIndex(theme == Theme::dark ? 1 : 0);
  texts_->addItems({tr("tokens where they fit"), tr("tokens"), tr("positions")});
  unit_->setObjectName(QStringLiteral("unit"));
  unit_->addItems({tr("bytes"), tr("% of full attention")});
  unit_->setCurrentIndex(shown.isCacheShare ? 1 : 0);
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
  wantsBeside_ = kept_ != nullptr;
  format_->setObjectName(QStringLiteral("format"));
  dpi_->setRange(36, 2400);
  dpi_->setValue(300);
  dpi_->setSingleStep(50);
  range_->setOnScreen(shown.range);
  width_->setObjectName(QStringLiteral("width"));
  width_->setRange(0, 2000);
  width_->setDecimals(1);
  width_->setSuffix(tr(" mm"));
  width_->setSpecialValueText(tr("automatic"));
  width_->setToolTip(tr("Of the whole figure, for example 89 mm for a column; its texts keep their sizes"));
  cell_->setObjectName(QStringLiteral("cell"));
  cell_->setRange(0, 100);
  cell_->setSuffix(tr(" px a cell"));
  cell_->setSpecialValueText(tr("cells as they fit"));
  cell_->setToolTip(
      tr("Every cell so many pixels wide, however wide the figure gets.\nAs they fit: a role map is as "
         "wide as a page, and a column the mean colour of the tokens that it covers"));
  makeRanges();
  makeForm();
  showRanges();
  follow();
  // What is in view looks as it does there.
  if (kind() == FigureKind::attention && part_->currentIndex() == inView && range_->count() > 1)
    range_->setCurrentIndex(1);
  fitToScreen(*this);
}

void ExportDialog::addChoices(const ExportChoice& first) {
  const auto add = [this](const QString& words, const ExportChoice& choice) {
    choices_.push_back(choice);
    kind_->addItem(words);
  };
  const int layer = shown_.map.layer.value;
  const int head = shown_.map.head.value;
  add(tr("Attention map: layer %1, head %2").arg(layer).arg(head), FigureKind::attention);
  add(tr("Mask: layer %1, head %2").arg(layer).arg(head), FigureKind::mask);
  add(tr("Role map"), FigureKind::roles);
  if (kept_)
    add(tr("Which cache holds what: this run and the kept one"), {FigureKind::roles, TextColours::roles, true});
  add(tr("Text: roles in layer %1, head %2").arg(layer).arg(head), FigureKind::text);
  add(tr("Text: share of heads that hold it"), {FigureKind::text, TextColours::held_shares});
  add(tr("Text: surprise"), {FigureKind::text, TextColours::losses});
  if (kept_) add(tr("Text: surprise against the kept run"), {FigureKind::text, TextColours::losses, true});
  add(tr("KV cache chart"), FigureKind::kv);
  add(tr("Table of heads"), FigureKind::heads);
  add(tr("Vocabulary: all heads"), FigureKind::vocabulary);
  add(tr("Vocabulary: layer %1, head %2").arg(layer).arg(head), ExportChoice::vocabularyOfOneHead());
  add(tr("Maps of all heads"), FigureKind::overview);
  add(tr("Statistics of all heads' attention"), FigureKind::statistics);
  kind_->setObjectName(QStringLiteral("kind"));
  kind_->setCurrentIndex(static_cast<int>(std::ranges::find(choices_, first) - choices_.begin()));
}

const ExportChoice& ExportDialog::choice() const {
  return choices_[static_cast<std::size_t>(std::max(0, kind_->currentIndex()))];
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

QWidget* ExportDialog::sideBySide(std::initializer_list<QWidget*> fields) {
  auto* const all = new QWidget(this);
  auto* const line = new QHBoxLayout(all);
  line->setContentsMargins(0, 0, 0, 0);
  for (QWidget* const field : fields) line->addWidget(field, qobject_cast<QLabel*>(field) != nullptr ? 0 : 1);
  return all;
}

void ExportDialog::makeForm() {
  auto* const fields = new QWidget(this);
  fields->setLayout(form_);
  form_->setContentsMargins(0, 0, 0, 0);
  holds_->setObjectName(QStringLiteral("muted"));
  command_->setReadOnly(true);
  command_->setTabChangesFocus(true);
  command_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  command_->setFixedHeight(command_->fontMetrics().lineSpacing() * commandLines + 14);
  command_->setMinimumWidth(command_->fontMetrics().averageCharWidth() * 62);
  command_->setToolTip(tr("Writes the same from a shell, without the window"));
  form_->addRow(tr("&What"), kind_);
  form_->addRow(tr("&Part"), part_);
  form_->addRow(tr("Queries"), sideBySide({firstQuery_, new QLabel(tr("to"), this), lastQuery_}));
  form_->addRow(tr("Keys"), sideBySide({firstKey_, new QLabel(tr("to"), this), lastKey_}));
  form_->addRow(tr("La&yers"), layers_);
  form_->addRow(tr("&Format"), format_);
  form_->addRow(QString(), holds_);
  form_->addRow(tr("&Scale"), scale_);
  form_->addRow(tr("C&lip"), clip_);
  form_->addRow(tr("Colour ran&ge"), range_);
  form_->addRow(tr("&Normalise"), normalise_);
  form_->addRow(tr("Sin&k"), hideSink_);
  form_->addRow(tr("&Beside"), beside_);
  form_->addRow(tr("Col&ours"), colours_);
  form_->addRow(tr("&Theme"), theme_);
  form_->addRow(tr("&Axes"), texts_);
  form_->addRow(tr("&Unit"), unit_);
  form_->addRow(tr("&Resolution (png)"), dpi_);
  form_->addRow(tr("Wi&dth"), sideBySide({width_, cell_}));
  form_->addRow(tr("Co&mmand"), command_);
  auto* const buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Cancel, this);
  save_ = buttons->button(QDialogButtonBox::Save);
  save_->setText(tr("Export …"));
  buttons->addButton(copy_, QDialogButtonBox::ActionRole);
  buttons->addButton(saveKept_, QDialogButtonBox::ActionRole);
  saveKept_->setObjectName(QStringLiteral("saveKept"));
  saveKept_->setToolTip(tr("Into a session file, which the command can then name"));
  connect(saveKept_, &QPushButton::clicked, this, &ExportDialog::chooseKeptFile);
  auto* const layout = new QVBoxLayout(this);
  layout->addWidget(new ScrolledArea(fields, leastFormHeight, this));
  layout->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::accepted, this, &ExportDialog::choosePath);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(copy_, &QPushButton::clicked, this, &ExportDialog::copyCommand);
  for (QComboBox* const box : {kind_, part_, layers_, format_, theme_, texts_, unit_, colours_, scale_, normalise_})
    connect(box, &QComboBox::currentIndexChanged, this, &ExportDialog::follow);
  connect(clip_, &QDoubleSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(range_, &QComboBox::currentTextChanged, this, &ExportDialog::follow);
  connect(width_, &QDoubleSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(cell_, &QSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(dpi_, &QSpinBox::valueChanged, this, &ExportDialog::follow);
  connect(hideSink_, &QCheckBox::toggled, this, &ExportDialog::follow);
  connect(beside_, &QCheckBox::toggled, this, [this](bool isBeside) {
    wantsBeside_ = isBeside;
    follow();
  });
  connect(format_, &QComboBox::textActivated, this, &ExportDialog::formatChosen);
}

void ExportDialog::setFormat(const QString& ending) { format_->setCurrentText(ending); }

void ExportDialog::follow() {
  QStringList endings{QStringLiteral("png"), QStringLiteral("svg"),  QStringLiteral("pdf"),
                      QStringLiteral("csv"), QStringLiteral("json"), QStringLiteral("npy")};
  endings.removeIf([this](const QString& ending) {
    const auto format = export_format(std::filesystem::path("x." + ending.toStdString()));
    return !format || !check_format(kind(), *format);
  });
  QStringList offered;
  for (int i = 0; i < format_->count(); ++i) offered << format_->itemText(i);
  // Not by their number: what one kind cannot be written as and what another one cannot are as many.
  if (offered != endings) {
    const QSignalBlocker quiet(format_);
    const QString before = format_->currentText();
    format_->clear();
    format_->addItems(endings);
    if (endings.contains(before)) format_->setCurrentText(before);
  }
  const bool isFigure = isDrawn(format_->currentText());
  const bool isAttention = kind() == FigureKind::attention;
  const bool isOverview = kind() == FigureKind::overview;
  const bool hasLayers = isOverview || kind() == FigureKind::statistics;
  part_->setEnabled(isMap(kind()));
  for (QSpinBox* const field : {firstQuery_, lastQuery_, firstKey_, lastKey_})
    field->setEnabled(isMap(kind()) && part_->currentIndex() == typed);
  layers_->setEnabled(hasLayers);
  // Numbers are normalised and lose the sink as figures do; colours are figures' alone.
  normalise_->setEnabled(isAttention);
  hideSink_->setEnabled(isAttention || isOverview);
  scale_->setEnabled((isAttention || isOverview) && isFigure);
  form_->setRowVisible(range_, hasRange());
  range_->setOnScreen(isAttention ? shown_.range : std::nullopt);
  const auto range = chosenRange();
  clip_->setEnabled((isAttention || isOverview) && isFigure && range && !*range);
  width_->setEnabled(isFigure && cell_->value() == 0);
  cell_->setEnabled(isFigure && width_->value() <= 0 && (isMap(kind()) || kind() == FigureKind::roles));
  const bool isOfHeads = kind() == FigureKind::heads || kind() == FigureKind::statistics;
  colours_->setEnabled((isMap(kind()) || isOverview || isOfHeads) && isFigure);
  theme_->setEnabled(isFigure);
  texts_->setEnabled(isFigure && (isMap(kind()) || kind() == FigureKind::roles));
  unit_->setEnabled(isFigure && kind() == FigureKind::kv);
  const bool canBeBeside = kept_ != nullptr && kind() == FigureKind::kv && isFigure;
  beside_->setEnabled(canBeBeside);
  const QSignalBlocker quiet(beside_);
  beside_->setChecked(canBeBeside && wantsBeside_);
  dpi_->setEnabled(format_->currentText() == QLatin1String("png"));
  holds_->setText(range ? contents(choice(), format_->currentText()) : QString::fromStdString(range.error().message));
  if (save_ != nullptr) save_->setEnabled(range.has_value());
  const ExportRequest asked = request(proposedName());
  saveKept_->setVisible(asked.beside && origin_.keptFile.isEmpty());
  written_ = exportCommand(asked, origin_, shown_.tokens);
  command_->setPlainText(written_.size() <= mostShownOfCommand
                             ? written_
                             : tr("%1 … (%2 characters: Copy has all of them)")
                                   .arg(written_.left(mostShownOfCommand), groupedNumber(written_.size())));
}

void ExportDialog::setKeptFile(const QString& path) {
  origin_.keptFile = path;
  follow();
}

void ExportDialog::chooseKeptFile() {
  auto* const files = new QFileDialog(this, tr("Save the kept run"), folder_, tr("Sessions (*.safetensors)"));
  files->setAttribute(Qt::WA_DeleteOnClose);
  files->setAcceptMode(QFileDialog::AcceptSave);
  files->setDefaultSuffix(QStringLiteral("safetensors"));
  files->selectFile(QStringLiteral("kept-run.safetensors"));
  connect(files, &QFileDialog::fileSelected, this, &ExportDialog::keptRunToSave);
  files->open();
}

QString ExportDialog::command() const { return written_; }

void ExportDialog::copyCommand() {
  QGuiApplication::clipboard()->setText(command());
  copy_->setText(tr("Copied"));
  QTimer::singleShot(copiedMs, copy_, [button = copy_] { button->setText(tr("Copy command")); });
}

QString ExportDialog::proposedName() const {
  const bool isOfLosses = choice().text == TextColours::losses;
  QString base = isOfLosses ? QStringLiteral("surprise") : QLatin1String(name(kind()));
  if (choice().isCompared) base += QStringLiteral("-difference");
  if (isMap(kind()) || (kind() == FigureKind::text && choice().text == TextColours::roles) || choice().isOfOneHead)
    base += QStringLiteral("-l%1h%2").arg(shown_.map.layer.value).arg(shown_.map.head.value);
  if (layers_->isEnabled() && layers_->currentIndex() > 0) base += QStringLiteral("-l%1").arg(shown_.map.layer.value);
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

bool ExportDialog::hasRange() const {
  const bool hasColours =
      kind() == FigureKind::attention || kind() == FigureKind::overview || choice().text == TextColours::losses;
  return hasColours && isDrawn(format_->currentText());
}

Expected<std::optional<FixedRange>> ExportDialog::chosenRange() const {
  if (!hasRange()) return std::optional<FixedRange>();
  // Losses are on a linear scale.
  return range_->range(kind() == FigureKind::text ? ScaleKind::linear : scaleKind());
}

ScaleKind ExportDialog::scaleKind() const { return scale_->currentIndex() == 1 ? ScaleKind::log : ScaleKind::linear; }

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
  request.options.scale.kind = scaleKind();
  if (const auto range = chosenRange()) request.options.scale.range = *range;
  if (width_->isEnabled()) request.options.width = width_->value() * pointsAMillimetre;
  if (cell_->isEnabled()) request.options.cellPixels = cell_->value();
  request.options.scale.clip_percentile = clip_->value();
  request.options.scale.normalise = normalise_->currentIndex() == 1 ? Normalise::row : Normalise::none;
  request.options.scale.hide_sink = hideSink_->isChecked();
  request.options.texts = static_cast<AxisTexts>(texts_->currentIndex());
  request.options.cacheAsShare = unit_->isEnabled() && unit_->currentIndex() == 1;
  if (layers_->isEnabled() && layers_->currentIndex() > 0) request.layer = shown_.map.layer;
  if (choice().isCompared || (beside_->isEnabled() && beside_->isChecked())) request.beside = kept_;
  request.text = choice().text;
  request.is_of_one_head = choice().isOfOneHead;
  if (request.kind == FigureKind::text) request.keys = all;
  request.path = path.toStdString();
  return request;
}

}  // namespace natscope::ui
