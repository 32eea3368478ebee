// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/prompt_panel.h"

#include <QCheckBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/parts/scrolled_area.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {
namespace {

constexpr int leastPromptHeight = 60;
constexpr int leastFormHeight = 96;
constexpr int leastFieldWidth = 72;

/// Two digits, and more of a number that has more: what a model's or a session's file says must not be rounded, or the
/// text that is drawn is another one than the command line's.
class NumberBox : public QDoubleSpinBox {
 public:
  using QDoubleSpinBox::QDoubleSpinBox;

  [[nodiscard]] QString textFromValue(double value) const override {
    QString text = QDoubleSpinBox::textFromValue(value);
    for (int digit = decimals(); digit > 2 && text.endsWith(u'0'); --digit) text.chop(1);
    return text;
  }
};

QDoubleSpinBox* number(QWidget* parent, double from, double to, double step, double value, const QString& tip) {
  auto* const box = new NumberBox(parent);
  box->setRange(from, to);
  box->setDecimals(6);
  box->setSingleStep(step);
  box->setValue(value);
  box->setToolTip(tip);
  return box;
}

/// The policies to choose from, each with what it does; the field says all of it.
QList<PolicyField::Choice> policies() {
  return {
      {QStringLiteral("model"), QStringLiteral("model"),
       PromptPanel::tr("the model's own roles; full attention where it has learned none")},
      {QStringLiteral("full"), QStringLiteral("full"), PromptPanel::tr("every token stays for ever")},
      {QStringLiteral("window:64"), QStringLiteral("window:W"), PromptPanel::tr("each token is seen by W later ones")},
      {QStringLiteral("longformer:64,0,1"), QStringLiteral("longformer:W,P1,P2,…"),
       PromptPanel::tr("a window of W, and the tokens at the positions P stay for ever")},
      {QStringLiteral("streaming:4,60"), QStringLiteral("streaming:SINKS,WINDOW"),
       PromptPanel::tr("StreamingLLM: the first SINKS tokens stay for ever, the others for a window")},
      {QStringLiteral("h2o:32,32"), QStringLiteral("h2o:HEAVY,RECENT"),
       PromptPanel::tr("H2O: the RECENT latest tokens, and the HEAVY ones that were attended to most")},
      {QStringLiteral("tova:64"), QStringLiteral("tova:SIZE"),
       PromptPanel::tr("TOVA: the SIZE ones that the latest token attends to most, over all heads of a layer")},
      {QStringLiteral("snapkv:64,16"), QStringLiteral("snapkv:SIZE,WINDOW"),
       PromptPanel::tr("SnapKV: SIZE of the prompt, once it is read: its WINDOW last tokens, and what they attend to "
                       "most")},
      {QStringLiteral("pyramidkv:64,16"), QStringLiteral("pyramidkv:SIZE,WINDOW"),
       PromptPanel::tr("PyramidKV: as SnapKV, more in the first layers and less in the last ones, SIZE in the mean")},
      {QStringLiteral("adakv:64,16"), QStringLiteral("adakv:SIZE,WINDOW"),
       PromptPanel::tr("Ada-KV: as SnapKV, more in a layer's heads that attend to much, SIZE in their mean")},
  };
}

}  // namespace

PromptPanel::PromptPanel(QWidget* parent)
    : QWidget(parent),
      prompt_(new PromptEdit(this)),
      chat_(new QPushButton(this)),
      greedy_(new QCheckBox(tr("greedy"), this)),
      temperature_(number(this, 0.01, 10, 0.05, 0.8, tr("Below 1: safer, above 1: more surprising"))),
      topK_(new QSpinBox(this)),
      topP_(number(this, 0.01, 1, 0.01, 0.95, tr("The smallest set of tokens whose probability reaches this"))),
      minP_(number(this, 0, 1, 0.01, 0, tr("At least this share of the likeliest token's probability"))),
      penalty_(number(this, 0.1, 5, 0.05, 1, tr("Above 1: tokens that occurred become less likely"))),
      seed_(new QLineEdit(QStringLiteral("0"), this)),
      length_(new QSpinBox(this)),
      stops_(new QLineEdit(this)),
      policy_(new PolicyField(policies(), this)),
      note_(new QLabel(this)) {
  drawAsPanel(*this);
  prompt_->setPlaceholderText(tr("Type or paste a text. Ctrl+Return analyses it, Ctrl+G writes on from it."));
  prompt_->setTabChangesFocus(true);
  prompt_->setMinimumHeight(leastPromptHeight);
  topK_->setRange(0, 1'000'000);
  topK_->setSpecialValueText(tr("all"));
  topK_->setToolTip(tr("Only this many likeliest tokens"));
  length_->setRange(1, 1'000'000);
  length_->setValue(200);
  length_->setToolTip(tr("How many tokens Generate and Continue add at most"));
  seed_->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), seed_));
  seed_->setToolTip(tr("The same seed, prompt and model give the same text"));
  stops_->setObjectName(QStringLiteral("stops"));
  stops_->setPlaceholderText(tr("nothing"));
  stops_->setToolTip(
      tr("Writing ends when one of these texts appears. Several are separated by |; "
         "\\n is a line break, \\t a tab, \\| a bar, \\\\ a backslash."));
  note_->setObjectName(QStringLiteral("muted"));
  note_->setWordWrap(true);
  note_->setTextFormat(Qt::PlainText);
  note_->hide();

  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 6, 8, 8);
  layout->addWidget(prompt_, 1);
  chat_->setObjectName(QStringLiteral("chat"));
  chat_->setVisible(false);
  layout->addWidget(chat_, 0, Qt::AlignLeft);
  layout->addWidget(note_);
  auto* const fields = new QWidget(this);
  auto* const form = new QFormLayout(fields);
  form->setContentsMargins(0, 0, 0, 0);
  form->setHorizontalSpacing(10);
  form->setVerticalSpacing(4);
  form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
  form->addRow(tr("Sampling"), greedy_);
  form->addRow(tr("Temperature"), temperature_);
  form->addRow(tr("Top-k"), topK_);
  form->addRow(tr("Top-p"), topP_);
  form->addRow(tr("Min-p"), minP_);
  form->addRow(tr("Repetition"), penalty_);
  form->addRow(tr("Seed"), seed_);
  form->addRow(tr("New tokens"), length_);
  form->addRow(tr("Stop at"), stops_);
  form->addRow(tr("Cache policy"), policy_);
  form->addRow(policy_->problemLabel());
  // Beside the scroll bar that they get in a low window they may be narrower than they would like to be.
  for (QWidget* const field :
       std::initializer_list<QWidget*>{temperature_, topK_, topP_, minP_, penalty_, seed_, length_, stops_, policy_})
    field->setMinimumWidth(leastFieldWidth);
  fields_ = new ScrolledArea(fields, leastFormHeight, this);
  layout->addWidget(fields_);

  connect(greedy_, &QCheckBox::toggled, this, [this](bool isGreedy) {
    for (QWidget* const field :
         {static_cast<QWidget*>(temperature_), static_cast<QWidget*>(topK_), static_cast<QWidget*>(topP_),
          static_cast<QWidget*>(minP_), static_cast<QWidget*>(seed_)}) {
      field->setEnabled(!isGreedy);
    }
    Q_EMIT changed();
  });
  connect(prompt_, &QPlainTextEdit::textChanged, this, &PromptPanel::changed);
  connect(prompt_, &PromptEdit::fileDropped, this, &PromptPanel::fileDropped);
  for (QDoubleSpinBox* const box : {temperature_, topP_, minP_, penalty_})
    connect(box, &QDoubleSpinBox::valueChanged, this, &PromptPanel::changed);
  for (QSpinBox* const box : {topK_, length_}) connect(box, &QSpinBox::valueChanged, this, &PromptPanel::changed);
  for (QLineEdit* const line : {seed_, stops_}) connect(line, &QLineEdit::textChanged, this, &PromptPanel::changed);
  connect(policy_, &QComboBox::currentTextChanged, this, &PromptPanel::changed);
  connect(policy_, &PolicyField::chosen, this, &PromptPanel::policyChosen);
  connect(policy_, &PolicyField::marked, this, [this] { fields_->ensureWidgetVisible(policy_->problemLabel()); });
}

PromptOptions PromptPanel::options() const {
  PromptOptions options;
  options.text = prompt_->document()->isModified() ? prompt_->text() : given_;
  if (!turn_.isEmpty() && options.text == turnShown_) options.text = turn_;
  options.policy = policy_->policy();
  options.sampling.greedy = greedy_->isChecked();
  options.sampling.temperature = temperature_->value();
  options.sampling.top_k = topK_->value();
  options.sampling.top_p = topP_->value();
  options.sampling.min_p = minP_->value();
  options.sampling.repetition_penalty = penalty_->value();
  options.sampling.seed = seed_->text().toULongLong();
  options.maxNewTokens = length_->value();
  options.stopStrings = parseStopStrings(stops_->text());
  options.isChatTurn = isChatTurn(options.text);
  return options;
}

bool PromptPanel::takeChatPrompt(const QString& user, const QString& prompt) {
  if (options().text != user) return false;
  {
    const QSignalBlocker quiet(prompt_);  // said once the field's text is known to be the prompt
    prompt_->replaceText(prompt);
  }
  turn_ = prompt;
  turnShown_ = prompt_->text();
  Q_EMIT changed();
  return true;
}

void PromptPanel::showChatAction(QAction* action) {
  const auto follow = [this, action] {
    chat_->setText(action->iconText());
    chat_->setToolTip(action->toolTip());
    chat_->setEnabled(action->isEnabled());
    chat_->setVisible(action->isVisible());
  };
  connect(action, &QAction::changed, chat_, follow);
  connect(chat_, &QPushButton::clicked, action, &QAction::trigger);
  follow();
}

void PromptPanel::setNote(const QString& note) {
  if (note == note_->text()) return;
  note_->setText(note);
  note_->setVisible(!note.isEmpty());
}

QString PromptPanel::note() const { return note_->text(); }

void PromptPanel::setPrompt(const QString& text) {
  given_ = text;
  prompt_->setPlainText(text);
  // Who was told of it before the field counted as unedited has read what it shows.
  if (prompt_->text() != text) Q_EMIT changed();
}

void PromptPanel::setOptions(const PromptOptions& options) {
  // Said once, when all fields are set: who is told of the first would read the others as they were.
  {
    const QSignalBlocker quiet(this);
    setFields(options);
  }
  Q_EMIT changed();
}

void PromptPanel::setFields(const PromptOptions& options) {
  setPrompt(options.text);
  if (options.isChatTurn) {
    turn_ = options.text;
    turnShown_ = prompt_->text();
  }
  setSampling(options.sampling);
  seed_->setText(QString::number(options.sampling.seed));
  length_->setValue(static_cast<int>(std::clamp<qint64>(options.maxNewTokens, length_->minimum(), length_->maximum())));
  stops_->setText(stopStringsText(options.stopStrings));
  policy_->setCurrentText(options.policy);
}

void PromptPanel::setDefaults(const ModelDescription& model) {
  {
    const QSignalBlocker quiet(this);
    setSampling(model.sampling);
  }
  Q_EMIT changed();
}

void PromptPanel::setSampling(const SamplingOptions& sampling) {
  greedy_->setChecked(sampling.greedy);
  temperature_->setValue(sampling.temperature);
  topK_->setValue(sampling.top_k);
  topP_->setValue(sampling.top_p);
  minP_->setValue(sampling.min_p);
  penalty_->setValue(sampling.repetition_penalty);
}

}  // namespace natscope::ui
