// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScreen>
#include <QSpinBox>
#include <QTest>

#include "ui/panels/parts/preview_frame.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

ShownMap someMap() {
  ShownMap shown;
  shown.queries = shown.keys = {0, 60};
  shown.tokens = 60;
  shown.range = FixedRange{0.001, 0.25};
  return shown;
}

std::shared_ptr<const KeptRun> someRun() {
  auto run = std::make_shared<KeptRun>();
  run->name = QStringLiteral("streaming:4,60");
  return run;
}

}  // namespace

class ExportDialogTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  /// Automatic, as on screen or typed; the command says the same, and what is no range is not written.
  void theColourRangeCanBeChosen() {
    ExportDialog dialog(someMap(), FigureKind::attention, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    auto* const range = dialog.findChild<QComboBox*>(QStringLiteral("range"));
    auto* const save = dialog.findChild<QDialogButtonBox*>()->button(QDialogButtonBox::Save);
    const auto fixed = [&] { return dialog.request(QStringLiteral("/tmp/x.png")).options.scale.range; };
    QCOMPARE(range->currentText(), QStringLiteral("automatic"));
    QVERIFY(!fixed() && !dialog.command().contains(QStringLiteral("--range")));
    range->setCurrentIndex(1);
    QVERIFY(range->currentText().contains(QStringLiteral("as on screen")));
    QVERIFY((fixed() == FixedRange{0.001, 0.25}));
    QVERIFY(dialog.command().contains(QStringLiteral("--range 0.001:0.25")));
    QVERIFY(!dialog.command().contains(QStringLiteral("--clip")));
    range->setCurrentText(QStringLiteral("0.01:0.5"));
    QVERIFY((fixed() == FixedRange{0.01, 0.5}));
    QVERIFY(save->isEnabled());
    range->setCurrentText(QStringLiteral("0.5:0.1"));
    QVERIFY(!save->isEnabled() && !fixed());
    range->setCurrentText(QStringLiteral("0.01:0.5"));
    // Numbers have no colours, and other kinds have other ones.
    dialog.setFormat(QStringLiteral("csv"));
    QVERIFY(range->isHidden() && !fixed() && !dialog.command().contains(QStringLiteral("--range")));
    dialog.setFormat(QStringLiteral("svg"));
    QVERIFY(!range->isHidden());
    chooseWhat(dialog, QStringLiteral("Role map"));
    QVERIFY(range->isHidden() && !fixed());
    chooseWhat(dialog, QStringLiteral("Text: surprise"));
    QVERIFY(!range->isHidden());
    QVERIFY2(dialog.command().contains(QStringLiteral("--kind text")), qPrintable(dialog.command()));
    QVERIFY(dialog.command().contains(QStringLiteral("--surprise --range 0.01:0.5")));
  }

  void aFiguresWidthCanBeChosen() {
    ExportDialog dialog(someMap(), FigureKind::attention, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    auto* const width = dialog.findChild<QDoubleSpinBox*>(QStringLiteral("width"));
    auto* const cell = dialog.findChild<QSpinBox*>(QStringLiteral("cell"));
    QVERIFY(!dialog.command().contains(QStringLiteral("--width")) &&
            !dialog.command().contains(QStringLiteral("--cell")));
    width->setValue(89);
    QVERIFY2(dialog.command().contains(QStringLiteral("--width 89mm")), qPrintable(dialog.command()));
    QVERIFY(!cell->isEnabled());
    width->setValue(0);
    cell->setValue(2);
    QVERIFY(dialog.command().contains(QStringLiteral("--cell 2")));
    QVERIFY(!width->isEnabled());
    chooseWhat(dialog, QStringLiteral("KV cache chart"));
    QVERIFY(!dialog.command().contains(QStringLiteral("--cell")));
  }

  /// A kept run makes figures of its own: the difference of caches, and of losses.
  void aKeptRunMakesDifferences() {
    ExportDialog alone(someMap(), FigureKind::roles, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    auto* const few = alone.findChild<QComboBox*>(QStringLiteral("kind"));
    QCOMPARE(few->findText(QStringLiteral("kept"), Qt::MatchContains), -1);
    const ExportChoice first(FigureKind::roles, TextColours::roles, true);
    ExportDialog dialog(someMap(), first, Theme::light, QStringLiteral("/tmp"), {}, someRun());
    QVERIFY(dialog.request(QStringLiteral("/tmp/x.npy")).beside);
    QVERIFY(dialog.command().contains(QStringLiteral("--kind roles")));
    // No file has the kept run: the command says so and names none, until it was saved.
    QVERIFY(!dialog.command().contains(QStringLiteral("--compare /")));
    QVERIFY2(dialog.command().startsWith(QStringLiteral("# Without the kept run")), qPrintable(dialog.command()));
    auto* const saveKept = dialog.findChild<QPushButton*>(QStringLiteral("saveKept"));
    QVERIFY(!saveKept->isHidden());
    dialog.setKeptFile(QStringLiteral("/tmp/kept run.safetensors"));
    QVERIFY(dialog.command().contains(QStringLiteral("--compare '/tmp/kept run.safetensors'")));
    QVERIFY(!dialog.command().contains(u'#') && saveKept->isHidden());
    QVERIFY(dialog.proposedName().endsWith(QStringLiteral("roles-difference.png")));
    chooseWhat(dialog, QStringLiteral("Role map"));
    QVERIFY(!dialog.request(QStringLiteral("/tmp/x.npy")).beside);
    // What a kind does not take does not look chosen.
    auto* const beside = dialog.findChild<QCheckBox*>(QStringLiteral("beside"));
    QVERIFY(!beside->isEnabled() && !beside->isChecked());
    chooseWhat(dialog, QStringLiteral("KV cache chart"));
    QVERIFY(beside->isEnabled() && beside->isChecked());
    beside->click();
    QVERIFY(!dialog.request(QStringLiteral("/tmp/x.png")).beside);
    chooseWhat(dialog, QStringLiteral("Table of heads"));
    chooseWhat(dialog, QStringLiteral("KV cache chart"));
    QVERIFY(!beside->isChecked());
    chooseWhat(dialog, QStringLiteral("Text: surprise against the kept run"));
    QVERIFY(dialog.request(QStringLiteral("/tmp/x.csv")).beside);
    QVERIFY(dialog.command().contains(QStringLiteral("--surprise")));
  }

  void tabGoesDownTheForm() {
    ExportDialog dialog(someMap(), FigureKind::attention, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    const auto* const form = dialog.findChild<QFormLayout*>();
    QVERIFY(form != nullptr);
    QList<const QWidget*> fields;
    for (int row = 0; row < form->rowCount(); ++row) {
      const QLayoutItem* const item = form->itemAt(row, QFormLayout::FieldRole);
      if (item == nullptr) continue;
      QWidget* const field = item->widget();
      if (field->focusPolicy() != Qt::NoFocus) fields.append(field);
      if (field->layout() == nullptr) continue;
      for (int i = 0; i < field->layout()->count(); ++i)
        if (QWidget* const part = field->layout()->itemAt(i)->widget(); part->focusPolicy() != Qt::NoFocus)
          fields.append(part);
    }
    QList<const QWidget*> chain;
    for (const QWidget* stop = dialog.nextInFocusChain(); stop != &dialog; stop = stop->nextInFocusChain())
      if (fields.contains(stop)) chain.append(stop);
    QCOMPARE(chain, fields);
  }

  /// The maps of all heads make no table and a text no array: as many formats each, and not the same ones.
  void formatsAreThoseOfTheKind() {
    ExportDialog dialog(someMap(), FigureKind::overview, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    auto* const format = dialog.findChild<QComboBox*>(QStringLiteral("format"));
    QVERIFY(format->findText(QStringLiteral("npy")) >= 0 && format->findText(QStringLiteral("csv")) < 0);
    dialog.setFormat(QStringLiteral("npy"));
    chooseWhat(dialog, QStringLiteral("Text: surprise"));
    QVERIFY(format->findText(QStringLiteral("npy")) < 0 && format->findText(QStringLiteral("csv")) >= 0);
    QCOMPARE(format->currentText(), QStringLiteral("png"));
    dialog.setFormat(QStringLiteral("csv"));
    QCOMPARE(format->currentText(), QStringLiteral("csv"));
    chooseWhat(dialog, QStringLiteral("Role map"));
    QCOMPARE(format->count(), 6);
    QCOMPARE(format->currentText(), QStringLiteral("csv"));
  }

  void titleTextsAndNamesCanBeChosen() {
    const ExportChoice first(FigureKind::roles, TextColours::roles, true);
    ExportDialog dialog(someMap(), first, Theme::light, QStringLiteral("/tmp"), {}, someRun());
    dialog.setKeptFile(QStringLiteral("/tmp/kept.safetensors"));
    auto* const title = dialog.findChild<QComboBox*>(QStringLiteral("title"));
    auto* const size = dialog.findChild<QDoubleSpinBox*>(QStringLiteral("fontSize"));
    auto* const otherName = dialog.findChild<QLineEdit*>(QStringLiteral("otherName"));
    const auto options = [&] { return dialog.request(QStringLiteral("/tmp/x.png")).options; };
    const auto says = [&](const char* words) { return dialog.command().contains(QLatin1String(words)); };
    QVERIFY(!options().title && !says("--title") && !says("--font-size") && !says("--label"));
    title->setCurrentIndex(1);
    QVERIFY(options().title && options().title->isEmpty() && says("--title ''"));
    title->setCurrentText(QStringLiteral("Roles of a story"));
    QVERIFY(says("--title 'Roles of a story'"));
    title->setCurrentText(QStringLiteral("--out"));  // no flag
    QVERIFY2(says("--title=--out"), qPrintable(dialog.command()));
    size->setValue(9.5);
    QVERIFY(options().fontSize == 9.5 && says("--font-size 9.5"));
    otherName->setText(QStringLiteral("StreamingLLM"));
    QCOMPARE(options().names, (QStringList{QString(), QStringLiteral("StreamingLLM")}));
    QVERIFY(says("--compare /tmp/kept.safetensors --label '' --label StreamingLLM"));
    dialog.setFormat(QStringLiteral("csv"));
    QVERIFY(!options().title && !says("--title") && !says("--font-size") && !says("--label"));
    dialog.setFormat(QStringLiteral("svg"));
    chooseWhat(dialog, QStringLiteral("Role map"));
    QVERIFY(otherName->parentWidget()->isHidden() && options().names.isEmpty());
  }

  /// What an entry stands for is not where it stands.
  void entriesHaveTheirValues() {
    ShownMap shown = someMap();
    shown.queries = shown.keys = {10, 20};
    ExportDialog dialog(shown, FigureKind::attention, Theme::dark, QStringLiteral("/tmp"), {}, nullptr);
    auto* const part = dialog.findChild<QComboBox*>(QStringLiteral("part"));
    const auto queries = [&] { return dialog.request(QStringLiteral("/tmp/x.png")).queries; };
    QVERIFY((queries() == PositionRange{10, 20}));
    QVERIFY(dialog.request(QStringLiteral("/tmp/x.png")).options.theme == Theme::dark);
    part->removeItem(0);
    QVERIFY((queries() == PositionRange{0, 60}));
    auto* const what = dialog.findChild<QComboBox*>(QStringLiteral("kind"));
    what->removeItem(0);
    chooseWhat(dialog, QStringLiteral("Role map"));
    QCOMPARE(dialog.request(QStringLiteral("/tmp/x.png")).kind, FigureKind::roles);
  }

  /// Once, a while after the last change; numbers have none.
  void aPreviewIsAskedForWhenNothingChangesAnyMore() {
    ExportDialog dialog(someMap(), FigureKind::attention, Theme::light, QStringLiteral("/tmp"), {}, nullptr);
    std::vector<ExportRequest> asked;
    QObject::connect(&dialog, &ExportDialog::previewWanted, [&](const ExportRequest& request, QSize room) {
      QVERIFY(room.width() > 100 && room.height() > 100);
      asked.push_back(request);
    });
    dialog.show();
    QTRY_COMPARE(asked.size(), 1U);
    auto* const dpi = dialog.findChild<QDoubleSpinBox*>(QStringLiteral("fontSize"));
    for (const double size : {9.0, 10.0, 11.0}) dpi->setValue(size);
    QTRY_COMPARE(asked.size(), 2U);
    QCOMPARE(asked.back().options.fontSize, 11.0);
    auto* const picture = dialog.findChild<QLabel*>(QStringLiteral("preview"));
    QImage image(60, 40, QImage::Format_RGB32);
    image.fill(Qt::red);
    dialog.showPreview({image, QSizeF(720, 360), QStringLiteral("a remark")});
    QCOMPARE(picture->pixmap(Qt::ReturnByValue).size(), image.size());
    QVERIFY(dialog.findChild<PreviewFrame*>()->words().startsWith(
        QStringLiteral("254 × 127 mm, 3000 × 1500 px\na remark")));
    dialog.setFormat(QStringLiteral("csv"));
    QTRY_VERIFY(picture->pixmap(Qt::ReturnByValue).isNull());
    dialog.showPreview({image, QSizeF(720, 360), {}});
    QVERIFY(picture->pixmap(Qt::ReturnByValue).isNull());
    QCOMPARE(asked.size(), 2U);
  }

  void fitsALowScreen() {
    ExportDialog dialog(someMap(), FigureKind::attention, Theme::light, QStringLiteral("/tmp"), {}, someRun());
    QVERIFY(dialog.minimumSizeHint().height() <= 400);
    QVERIFY(dialog.minimumSizeHint().width() <= 900);
    const QSize screen = dialog.screen()->availableSize();
    QVERIFY(dialog.width() <= screen.width() && dialog.height() <= screen.height());
    QVERIFY(dialog.width() <= 1280 && dialog.height() <= 800);
  }

 private:
  static void chooseWhat(ExportDialog& dialog, const QString& words) {
    auto* const what = dialog.findChild<QComboBox*>(QStringLiteral("kind"));
    const int index = what->findText(words);
    QVERIFY2(index >= 0, qPrintable(words));
    what->setCurrentIndex(index);
  }
};

QTEST_MAIN(ExportDialogTest)
#include "export_dialog_test.moc"
