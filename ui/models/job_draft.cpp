// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/job_draft.h"

#include <QCoreApplication>
#include <cmath>

#include "core/jobs/job_store.h"

namespace natscope::ui {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("JobDraft", text); }
QString keyOf(const JobField& field) { return QLatin1String(field.key); }

std::optional<QString> problemOf(const JobField& field, const QString& text) {
  if (text.isEmpty()) return field.isNeeded ? std::optional(tr("is needed")) : std::nullopt;
  if (field.type == JobField::Type::text || field.type == JobField::Type::file) return std::nullopt;
  bool ok = false;
  const double value = text.toDouble(&ok);
  if (!ok || !std::isfinite(value)) return tr("is no number");
  if (field.type == JobField::Type::whole && value != std::floor(value)) return tr("is a whole number");
  if (value < field.least || value > field.most) {
    return tr("lies between %1 and %2").arg(field.least).arg(field.most, 0, 'g', 10);
  }
  return std::nullopt;
}

}  // namespace

JobDraft JobDraft::like(const QString& job, const jobs::JobSpec& spec) {
  JobDraft draft(spec.kind == jobs::JobKind::train ? DraftKind::scratch
                 : spec.text("trained") == "lora"  ? DraftKind::lora
                                                   : DraftKind::scores);
  draft.origin_ = job;
  draft.name = job.section(u'/', -1).left(90) + QStringLiteral("-2");
  for (const jobs::JobOption& option : spec.options) {
    const QString key = QString::fromStdString(option.name);
    if (!draft.values_.contains(key)) continue;
    draft.values_.insert(key, QString::fromStdString(option.text));
  }
  draft.original_ = draft.values_;
  return draft;
}

QString JobDraft::defaultOf(const JobField& field) const {
  const char* const text = kind_ == DraftKind::scratch ? field.scratch : field.tune;
  return text == nullptr ? QString() : QString::fromLatin1(text);
}

void JobDraft::setKind(DraftKind kind) {
  const DraftKind before = std::exchange(kind_, kind);
  for (const JobField& field : jobFields()) {
    const QString key = keyOf(field);
    const char* const old = before == DraftKind::scratch ? field.scratch : field.tune;
    const bool isUntouched = !values_.contains(key) || old == nullptr || values_.value(key) == QLatin1String(old);
    if (belongs(field, kind) && isUntouched) values_.insert(key, defaultOf(field));
  }
}

void JobDraft::makeSmall() {
  const std::pair<const char*, const char*> values[] = {
      {"layers", "6"},         {"hidden", "256"},         {"heads", "8"},
      {"kv_heads", "4"},       {"vocab", "4096"},         {"batch", "8"},
      {"micro_batch", "0"},    {"learning_rate", "1e-3"}, {"context", "1024"},
      {"warmup_steps", "100"}, {"evaluate_every", "100"}, {"checkpoint_every", "100"}};
  for (const auto& [key, text] : values) setValue(QLatin1String(key), QLatin1String(text));
}

QMap<QString, QString> JobDraft::problems() const {
  QMap<QString, QString> found;
  if (const auto ok = jobs::check_job_name(name.toStdString()); !ok) {
    found.insert(QStringLiteral("name"), name.isEmpty() ? tr("is needed") : tr("takes letters, digits, . _ and -"));
  }
  for (const JobField& field : jobFields()) {
    if (!belongs(field, kind_)) continue;
    if (const auto problem = problemOf(field, value(keyOf(field)).trimmed())) found.insert(keyOf(field), *problem);
  }
  if (kind_ != DraftKind::scratch || !found.isEmpty()) return found;
  const auto whole = [this](const char* key) { return static_cast<qint64>(number(key)); };
  if (whole("hidden") % whole("heads") != 0 || whole("hidden") / whole("heads") % 2 != 0) {
    found.insert(QStringLiteral("heads"), tr("must divide the hidden size into heads of even size"));
  } else if (whole("heads") % whole("kv_heads") != 0) {
    found.insert(QStringLiteral("kv_heads"), tr("must divide the heads"));
  }
  if (whole("context") < 2) found.insert(QStringLiteral("context"), tr("is at least 2"));
  return found;
}

void JobDraft::addFlags(QStringList& arguments) const {
  for (const JobField& field : jobFields()) {
    const QString text = value(keyOf(field)).trimmed();
    if (!belongs(field, kind_) || text.isEmpty()) continue;
    const bool isZeroSteps = keyOf(field) == QStringLiteral("steps") && text == QStringLiteral("0");
    if (isZeroSteps && kind_ == DraftKind::scratch) continue;  // then the epochs say
    const bool isLength = keyOf(field) == QStringLiteral("context") && kind_ != DraftKind::scratch;
    arguments << (isLength ? QStringLiteral("--length") : QString::fromLatin1(field.flag)) << text;
  }
  if (kind_ != DraftKind::scratch) {
    arguments << QStringLiteral("--train")
              << (kind_ == DraftKind::lora ? QStringLiteral("lora") : QStringLiteral("scores"));
  }
  arguments << QStringLiteral("--device") << device;
}

QStringList JobDraft::arguments() const {
  QStringList arguments;
  if (origin_.isEmpty()) {
    arguments << (kind_ == DraftKind::scratch ? QStringLiteral("train") : QStringLiteral("finetune"));
    addFlags(arguments);
    arguments << QStringLiteral("--detach") << QStringLiteral("--name") << name;
  } else {
    arguments << QStringLiteral("jobs") << QStringLiteral("duplicate") << origin_ << name;
    for (const JobField& field : jobFields()) {
      const QString key = keyOf(field);
      const QString text = value(key).trimmed();
      if (belongs(field, kind_) && text != original_.value(key)) {
        arguments << QStringLiteral("--set") << key + u'=' + text;
      }
    }
    arguments << QStringLiteral("--start");
  }
  arguments << QStringLiteral("--runner") << (onSlurm ? QStringLiteral("slurm") : QStringLiteral("local"));
  if (onSlurm) {
    for (const QString& word : sbatch.split(u' ', Qt::SkipEmptyParts)) arguments << QStringLiteral("--sbatch=") + word;
  }
  return arguments;
}

QStringList JobDraft::forecastArguments() const {
  if (kind_ == DraftKind::scratch) return {};
  QStringList arguments{QStringLiteral("finetune")};
  addFlags(arguments);
  return arguments << QStringLiteral("--forecast") << QStringLiteral("--json");
}

JobEstimate JobDraft::estimate() const {
  JobEstimate estimate;
  const double steps = number("steps");
  if (steps > 0) estimate.tokens = steps * number("batch") * number("context");
  if (kind_ != DraftKind::scratch) return estimate;
  const double hidden = number("hidden");
  const double layers = number("layers");
  const double keys = hidden / number("heads") * number("kv_heads");
  const double inner = 64 * std::ceil(8.0 / 3.0 * hidden / 64);
  const double vocab = number("vocab");
  estimate.parameters = vocab * hidden + layers * (2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * inner +
                                                   2 * hidden * number("kv_heads") + 2 * hidden);
  const double atOnce = number("micro_batch") > 0 ? number("micro_batch") : number("batch");
  const double rows = atOnce * number("context");
  // Weights, gradients and two moments in four bytes each; per row the kept activations of a layer, and the logits
  // with their gradient.
  estimate.memory = 16 * estimate.parameters + 4 * rows * (layers * (8 * hidden + 2 * keys + 3 * inner) + 2 * vocab);
  // Two checkpoints, a third while it is written, and the finished model.
  estimate.disk = (3 * 12 + 4) * estimate.parameters;
  return estimate;
}

}  // namespace natscope::ui
