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
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

#include "core/export/data_files.h"
#include "ui/panels/parts/choice_box.h"
#include "ui/panels/parts/preview_frame.h"
#include "ui/panels/parts/range_field.h"
#include "ui/panels/parts/scrolled_area.h"
#include "ui/panels/parts/title_field.h"

namespace natscope::ui {
namespace {

enum class Part : std::uint8_t { inView, whole, typed };
/// A long text's tokens stand in it one by one.
constexpr qsizetype mostShownOfCommand = 4000;
constexpr int commandLines = 4;
constexpr int leastFormHeight = 160;
constexpr int copiedMs = 1500;
constexpr int previewMs = 250;  // after the last change

bool isMap(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::mask; }

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
      title_(new TitleField(this)),
      fontSize_(new QDoubleSpinBox(this)),
      name_(new QLineEdit(this)),
      otherName_(new QLineEdit(this)),
      holds_(new QLabel(this)),
      command_(new QPlainTextEdit(this)),
      copy_(new QPushButton(tr("Copy command"), this)),
      saveKept_(new QPushButton(tr("Save the kept run …"), this)),
      preview_(new PreviewFrame(this)),
      previewSoon_(new QTimer(this)) {
  setWindowTitle(tr("Export"));
  setAttribute(Qt::WA_DeleteOnClose);
  addKinds(first);
  part_->setObjectName(QStringLiteral("part"));
  addChoices<Part>(part_, {{tr("what is in view"), Part::inView},
                           {tr("the whole map"), Part::whole},
                           {tr("these positions"), Part::typed}});
  if (shown.queries.size() == shown.tokens && shown.keys.size() == shown.tokens) choose(part_, Part::whole);
  layers_->setObjectName(QStringLiteral("layers"));
  constexpr bool isOne = true;
  addChoices<bool>(layers_, {{tr("all"), !isOne}, {tr("layer %1").arg(shown.map.layer.value), isOne}});
  addChoices<Theme>(theme_, {{tr("light"), Theme::light}, {tr("dark"), Theme::dark}});
  choose(theme_, theme);
  addChoices<AxisTexts>(texts_, {{tr("tokens where they fit"), AxisTexts::automatic},
                                 {tr("tokens"), AxisTexts::tokens},
                                 {tr("positions"), AxisTexts::positions}});
  unit_->setObjectName(QStringLiteral("unit"));
  constexpr bool isShare = true;
  addChoices<bool>(unit_, {{tr("bytes"), !isShare}, {tr("% of full attention"), isShare}});
  choose(unit_, shown.isCacheShare);
  for (const ColourMap map : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis})
    addChoices<ColourMap>(colours_, {{QLatin1String(name(map)), map}});
  choose(colours_, shown.colours);
  addChoices<ScaleKind>(scale_, {{tr("linear"), ScaleKind::linear}, {tr("log"), ScaleKind::log}});
  choose(scale_, shown.scale.kind);
  clip_->setRange(0.1, 100);
  clip_->setDecimals(1);
  clip_->setSuffix(QStringLiteral(" %"));
  clip_->setValue(shown.scale.clip_percentile);
  clip_->setToolTip(tr("The colours end at this percentile of the visible weights"));
  addChoices<Normalise>(normalise_, {{tr("weights as they are"), Normalise::none},
                                     {tr("each row by its largest weight"), Normalise::row}});
  choose(normalise_, shown.scale.normalise);
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
  fontSize_->setObjectName(QStringLiteral("fontSize"));
  fontSize_->setRange(smallestFontSize, largestFontSize);
  fontSize_->setDecimals(1);
  fontSize_->setSingleStep(0.5);
  fontSize_->setSuffix(tr(" pt"));
  fontSize_->setValue(usualFontSize);
  fontSize_->setToolTip(tr("Of the axes' names; other texts and lines keep their proportion to it, the plot its size"));
  name_->setObjectName(QStringLiteral("name"));
  name_->setPlaceholderText(tr("this run"));
  otherName_->setObjectName(QStringLiteral("otherName"));
  if (kept_) otherName_->setPlaceholderText(kept_->name);
  previewSoon_->setSingleShot(true);
  previewSoon_->setInterval(previewMs);
  makeRanges();
  makeForm();
  showRanges();
  follow();
  // What is in view looks as it does there.
  if (kind() == FigureKind::attention && chosen<Part>(part_) == Part::inView && range_->count() > 1)
    range_->setCurrentIndex(1);
  fitToScreen(*this);
}

void ExportDialog::addKinds(const ExportChoice& first) {
  const auto add = [this](const QString& words, const ExportChoice& choice) {
    kind_->addItem(words, static_cast<int>(choices_.size()));
    choices_.push_back(choice);
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
  choose(kind_, std::ranges::find(choices_, first) - choices_.begin());
}

const ExportChoice& ExportDialog::choice() const { return choices_[chosen<std::size_t>(kind_)]; }

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
  const auto part = chosen<Part>(part_);
  if (part == Part::typed) return;
  const PositionRange all{0, static_cast<std::int32_t>(shown_.tokens)};
  const PositionRange queries = part == Part::inView ? shown_.queries : all;
  const PositionRange keys = part == Part::inView ? shown_.keys : all;
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
  form_->addRow(tr("T&itle"), title_);
  form_->addRow(tr("Te&xts"), fontSize_);
  form_->addRow(tr("Nam&es"), sideBySide({name_, otherName_}));
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
  auto* const beside = new QHBoxLayout;
  beside->addWidget(new ScrolledArea(fields, leastFormHeight, this), 1);
  beside->addWidget(preview_, 1);
  layout->addLayout(beside);
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
  connect(title_, &QComboBox::currentTextChanged, this, &ExportDialog::follow);
  connect(fontSize_, &QDoubleSpinBox::valueChanged, this, &ExportDialog::follow);
  for (QLineEdit* const field : {name_, otherName_})
    connect(field, &QLineEdit::textChanged, this, &ExportDialog::follow);
  connect(preview_, &PreviewFrame::resized, previewSoon_, qOverload<>(&QTimer::start));
  connect(previewSoon_, &QTimer::timeout, this, &ExportDialog::askForPreview);
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
    field->setEnabled(isMap(kind()) && chosen<Part>(part_) == Part::typed);
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
  holds_->setText(range ? contentsOf(choice(), format_->currentText()) : QString::fromStdString(range.error().message));
  if (save_ != nullptr) save_->setEnabled(range.has_value());
  title_->setEnabled(isFigure);
  fontSize_->setEnabled(isFigure);
  const ExportRequest asked = request(proposedName());
  form_->setRowVisible(name_->parentWidget(), asked.beside && isFigure);
  saveKept_->setVisible(asked.beside && origin_.keptFile.isEmpty());
  written_ = exportCommand(asked, origin_, shown_.tokens);
  command_->setPlainText(written_.size() <= mostShownOfCommand
                             ? written_
                             : tr("%1 … (%2 characters: Copy has all of them)")
                                   .arg(written_.left(mostShownOfCommand), groupedNumber(written_.size())));
  previewSoon_->start();
}

void ExportDialog::askForPreview() {
  if (isDrawn(format_->currentText()) && chosenRange())
    Q_EMIT previewWanted(request(proposedName()), preview_->room());
  else
    preview_->setWords(holds_->text());
}

void ExportDialog::showPreview(const FigurePreview& preview) {
  const QString ending = format_->currentText();
  if (!isDrawn(ending)) return;  // it came late
  QString words = tr("%1 × %2 mm")
                      .arg(qRound(preview.size.width() / pointsAMillimetre))
                      .arg(qRound(preview.size.height() / pointsAMillimetre));
  if (ending == QLatin1String("png")) {
    const double scale = dpi_->value() / pointsAnInch;
    words += tr(", %1 × %2 px").arg(qRound(preview.size.width() * scale)).arg(qRound(preview.size.height() * scale));
  }
  if (!preview.remark.isEmpty()) words += QLatin1Char('\n') + preview.remark;
  preview_->setPicture(preview.image, words);
}

void ExportDialog::showProblem(const Error& error) {
  preview_->setWords(QString::fromStdString(error.hint.empty() ? error.message : error.message + ": " + error.hint));
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
  if (layers_->isEnabled() && chosen<bool>(layers_)) base += QStringLiteral("-l%1").arg(shown_.map.layer.value);
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

ScaleKind ExportDialog::scaleKind() const { return chosen<ScaleKind>(scale_); }

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
  request.options.theme = chosen<Theme>(theme_);
  request.options.dpi = dpi_->value();
  request.options.colours = chosen<ColourMap>(colours_);
  request.options.scale.kind = scaleKind();
  if (const auto range = chosenRange()) request.options.scale.range = *range;
  if (width_->isEnabled()) request.options.width = width_->value() * pointsAMillimetre;
  if (cell_->isEnabled()) request.options.cellPixels = cell_->value();
  request.options.scale.clip_percentile = clip_->value();
  request.options.scale.normalise = chosen<Normalise>(normalise_);
  request.options.scale.hide_sink = hideSink_->isChecked();
  request.options.texts = chosen<AxisTexts>(texts_);
  request.options.cacheAsShare = unit_->isEnabled() && chosen<bool>(unit_);
  if (layers_->isEnabled() && chosen<bool>(layers_)) request.layer = shown_.map.layer;
  if (choice().isCompared || (beside_->isEnabled() && beside_->isChecked())) request.beside = kept_;
  if (isDrawn(format_->currentText())) {
    request.options.title = title_->title();
    request.options.fontSize = fontSize_->value();
    if (request.beside) request.options.names = {name_->text().simplified(), otherName_->text().simplified()};
  }
  request.text = choice().text;
  request.is_of_one_head = choice().isOfOneHead;
  if (request.kind == FigureKind::text) request.keys = all;
  request.path = path.toStdString();
  return request;
}

}  // namespace natscope::ui
