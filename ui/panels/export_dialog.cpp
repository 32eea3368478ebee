// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QFileDialog>
#include <QFormLayout>
#include <QPushButton>
#include <QSpinBox>

namespace natscope::ui {
namespace {

enum Part { inView, whole };
constexpr FigureKind kinds[] = {FigureKind::attention, FigureKind::mask, FigureKind::roles, FigureKind::kv};

bool isMap(FigureKind kind) { return kind == FigureKind::attention || kind == FigureKind::mask; }

}  // namespace

ExportDialog::ExportDialog(const ShownMap& shown, FigureKind kind, Theme theme, const QString& folder, QWidget* parent)
    : QDialog(parent),
      shown_(shown),
      folder_(folder.isEmpty() ? QDir::homePath() : folder),
      kind_(new QComboBox(this)),
      part_(new QComboBox(this)),
      format_(new QComboBox(this)),
      theme_(new QComboBox(this)),
      texts_(new QComboBox(this)),
      dpi_(new QSpinBox(this)) {
  setWindowTitle(tr("Export"));
  setAttribute(Qt::WA_DeleteOnClose);
  kind_->addItems({tr("Attention map: layer %1, head %2").arg(shown.map.layer.value).arg(shown.map.head.value),
                   tr("Mask: layer %1, head %2").arg(shown.map.layer.value).arg(shown.map.head.value), tr("Role map"),
                   tr("KV cache chart")});
  kind_->setCurrentIndex(static_cast<int>(std::find(std::begin(kinds), std::end(kinds), kind) - std::begin(kinds)));
  part_->addItems({tr("what is in view"), tr("the whole map")});
  if (shown.queries.size() == shown.tokens && shown.keys.size() == shown.tokens) part_->setCurrentIndex(whole);
  format_->addItems({QStringLiteral("png"), QStringLiteral("svg"), QStringLiteral("pdf"), QStringLiteral("csv"),
                     QStringLiteral("npy")});
  theme_->addItems({tr("light"), tr("dark")});
  theme_->setCurrentIndex(theme == Theme::dark ? 1 : 0);
  texts_->addItems({tr("tokens where they fit"), tr("tokens"), tr("positions")});
  dpi_->setRange(36, 2400);
  dpi_->setValue(300);
  dpi_->setSingleStep(50);

  auto* const form = new QFormLayout(this);
  form->addRow(tr("Figure"), kind_);
  form->addRow(tr("Part"), part_);
  form->addRow(tr("Format"), format_);
  form->addRow(tr("Theme"), theme_);
  form->addRow(tr("Axes"), texts_);
  form->addRow(tr("Resolution (png)"), dpi_);
  auto* const buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Cancel, this);
  buttons->button(QDialogButtonBox::Save)->setText(tr("Export …"));
  form->addRow(buttons);
  connect(buttons, &QDialogButtonBox::accepted, this, &ExportDialog::choosePath);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  const auto follow = [this] {
    const bool isDrawn = format_->currentIndex() < 3;
    part_->setEnabled(isMap(kinds[kind_->currentIndex()]));
    for (QWidget* const field : {static_cast<QWidget*>(theme_), static_cast<QWidget*>(texts_)})
      field->setEnabled(isDrawn);
    dpi_->setEnabled(format_->currentIndex() == 0);
  };
  connect(kind_, &QComboBox::currentIndexChanged, this, follow);
  connect(format_, &QComboBox::currentIndexChanged, this, follow);
  follow();
}

QString ExportDialog::proposedName() const {
  const FigureKind kind = kinds[kind_->currentIndex()];
  QString base = QLatin1String(name(kind));
  if (isMap(kind)) base += QStringLiteral("-l%1h%2").arg(shown_.map.layer.value).arg(shown_.map.head.value);
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
  request.kind = kinds[kind_->currentIndex()];
  request.map = shown_.map;
  const PositionRange all{0, static_cast<std::int32_t>(shown_.tokens)};
  request.queries = part_->currentIndex() == inView ? shown_.queries : all;
  request.keys = part_->currentIndex() == inView ? shown_.keys : all;
  request.options.theme = theme_->currentIndex() == 1 ? Theme::dark : Theme::light;
  request.options.dpi = dpi_->value();
  request.options.colours = shown_.colours;
  request.options.scale = shown_.scale;
  request.options.texts = static_cast<AxisTexts>(texts_->currentIndex());
  request.path = path.toStdString();
  return request;
}

}  // namespace natscope::ui
