// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/jobs/job_draft.h"

#include <QCoreApplication>
#include <QDir>
#include <QProcess>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "core/base/resource_path.h"
#include "core/cache/policy.h"
#include "core/jobs/derived_options.h"
#include "core/jobs/job_store.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

using jobs::JobField;
using namespace std::string_view_literals;

QString tr(const char* text) { return QCoreApplication::translate("JobDraft", text); }
QString pathText(const std::filesystem::path& path) { return QString::fromStdString(path.string()); }
QString keyOf(const JobField& field) { return QLatin1String(field.option); }

jobs::JobKind jobKindOf(DraftKind kind) {
  return kind == DraftKind::scratch ? jobs::JobKind::train : jobs::JobKind::finetune;
}

const char* trainedText(DraftKind kind) {
  return kind == DraftKind::lora ? "lora" : kind == DraftKind::all ? "all" : "scores";
}

DraftKind kindOf(const jobs::JobSpec& spec) {
  if (spec.kind == jobs::JobKind::train) return DraftKind::scratch;
  const std::string_view trained = spec.text("trained");
  return trained == "lora" ? DraftKind::lora : trained == "all" ? DraftKind::all : DraftKind::scores;
}

/// Nobody's paper: a rate that moves a trained model's weights without breaking them at once.
constexpr const char* rateOfAllWeights = "2e-5";

}  // namespace

JobDraft JobDraft::like(const QString& job, const jobs::JobSpec& spec) {
  JobDraft draft(kindOf(spec));
  draft.origin_ = job;
  draft.name = job.section(u'/', -1).left(90) + QStringLiteral("-2");
  for (const jobs::JobOption& option : spec.options) {
    const QString key = QString::fromStdString(option.name);
    if (!draft.values_.contains(key)) continue;
    const jobs::JobField* const field = jobs::find_job_field(draft.jobKind(), option.name);
    const bool isNumber = field->kind == jobs::FieldKind::integer || field->kind == jobs::FieldKind::real;
    // Where nothing stands in a new form, 0 is how a job says that it is worked out.
    const bool isWorkedOut = isNumber && option.text == "0" && draft.firstText(*field, draft.kind()).isEmpty();
    draft.values_.insert(key, isWorkedOut ? QString() : QString::fromStdString(option.text));
  }
  draft.original_ = draft.values_;
  return draft;
}

QString JobDraft::firstText(const JobField& field, DraftKind kind) const {
  if (kind == DraftKind::all && field.option == "learning_rate"sv) return QLatin1String(rateOfAllWeights);
  if (kind != DraftKind::scratch && field.option == "model"sv) return pathText(demo_twin_path());
  return QString::fromUtf8(field.first_text());
}

std::vector<const JobField*> JobDraft::fields() const {
  std::vector<const JobField*> lines;
  for (const JobField& field : jobs::job_fields(jobKind())) {
    const std::string_view option = field.option;
    if (option == "trained" || (option.starts_with("lora_") && kind_ != DraftKind::lora)) continue;
    lines.push_back(&field);
  }
  return lines;
}

bool JobDraft::isChanged(const JobField& field) const {
  return !jobs::same_value(field, value(keyOf(field)).trimmed().toStdString(), firstText(field, kind_).toStdString());
}

void JobDraft::setKind(DraftKind kind) {
  const DraftKind before = std::exchange(kind_, kind);
  for (const JobField* const field : fields()) {
    const QString key = keyOf(*field);
    const JobField* const old = jobs::find_job_field(jobKindOf(before), field->option);
    // What the other kind does not ask for was typed when this one was shown.
    const bool isUntouched =
        !values_.contains(key) || (old != nullptr && values_.value(key) == firstText(*old, before));
    if (isUntouched) values_.insert(key, firstText(*field, kind));
  }
}

void JobDraft::setValues(std::initializer_list<std::pair<const char*, const char*>> values) {
  for (const auto& [key, text] : values) setValue(QLatin1String(key), QLatin1String(text));
}

void JobDraft::makeSmall() {
  if (kind_ == DraftKind::scratch) {
    setValues({{"layers", "6"},
               {"hidden", "256"},
               {"heads", "8"},
               {"kv_heads", "4"},
               {"vocab", "4096"},
               {"batch", "8"},
               {"micro_batch", ""},
               {"learning_rate", "1e-3"},
               {"context", "1024"},
               {"warmup_steps", "100"},
               {"evaluate_every", "100"},
               {"checkpoint_every", "100"}});
    return;
  }
  setValue(QStringLiteral("model"), pathText(demo_twin_path()));
  setValue(QStringLiteral("data"), pathText(resource_path("sample/books/the-emerald-city-of-oz.txt")));
  setValue(QStringLiteral("valid"), pathText(resource_path("sample/books/through-the-looking-glass.txt")));
  // Of tests/bench/results/reproduce_finetune.json: a sixth of the cache for 0.6 % of perplexity.
  setValues({{"window", "32"},
             {"sparse_regularized_value", "3e-6"},
             {"steps", "120"},
             {"evaluate_every", "40"},
             {"checkpoint_every", "40"}});
}

void JobDraft::findShapeProblems(QMap<QString, QString>& found) const {
  const auto whole = [this](const char* key) { return static_cast<qint64>(number(key)); };
  const qint64 heads = whole("heads");
  const qint64 headSize = whole("head_dim");
  if (whole("hidden") % 8 != 0) {
    found.insert(QStringLiteral("hidden"), tr("Hidden size must be a multiple of 8"));
  } else if (headSize == 0 && (whole("hidden") % heads != 0 || whole("hidden") / heads % 2 != 0)) {
    found.insert(QStringLiteral("heads"), tr("Query heads must divide the hidden size into heads of even size"));
  } else if (heads % whole("kv_heads") != 0) {
    found.insert(QStringLiteral("kv_heads"), tr("Key/value heads must divide the query heads"));
  }
  const qint64 size = headSize == 0 ? whole("hidden") / heads : headSize;
  if (found.isEmpty() && (size % 2 != 0 || size < 8 || size > 256)) {
    found.insert(headSize == 0 ? QStringLiteral("heads") : QStringLiteral("head_dim"),
                 tr("Heads must have an even size from 8 to 256; these would have %1").arg(size));
  }
  if (whole("micro_batch") > 0 && whole("batch") % whole("micro_batch") != 0) {
    found.insert(QStringLiteral("micro_batch"), tr("“Computed at a time” must divide the batch"));
  }
  const auto policy = parse_policy(value(QStringLiteral("policy")).trimmed().toStdString());
  if (!policy || !has_roles(*policy)) {
    found.insert(QStringLiteral("policy"),
                 tr("Mask must be model, full, window:W, streaming:SINKS,WINDOW or longformer:W,P1,P2,…"));
  } else if (value(QStringLiteral("full_attention")) == QStringLiteral("true") && policy->kind != Policy::Kind::model &&
             policy->kind != Policy::Kind::full) {
    found.insert(QStringLiteral("policy"), tr("Mask must be model or full beside full attention"));
  }
}

QMap<QString, QString> JobDraft::problems() const {
  QMap<QString, QString> found;
  if (const auto ok = jobs::check_job_name(name.toStdString()); !ok) {
    found.insert(QStringLiteral("name"), name.isEmpty()
                                             ? tr("Name must be given")
                                             : tr("Name must be letters, digits, . _ and -, a letter or digit first"));
  }
  for (const JobField* const field : fields()) {
    if (const auto ok = jobs::check_field(*field, value(keyOf(*field)).trimmed().toStdString()); !ok) {
      found.insert(keyOf(*field), QString::fromStdString(ok.error().message));
    }
  }
  const bool isAShape = found.isEmpty() || (found.size() == 1 && found.contains(QStringLiteral("name")));
  if (kind_ == DraftKind::scratch && isAShape) findShapeProblems(found);
  const bool areNumbers = !found.contains(QStringLiteral("batch")) && !found.contains(QStringLiteral("ranks"));
  if (areNumbers && std::fmod(number("batch"), std::max(1.0, number("ranks"))) != 0) {
    found.insert(QStringLiteral("batch"), tr("Batch must be a multiple of the processes that share it"));
  }
  return found;
}

QMap<QString, QString> JobDraft::remarks(qint64 length) const {
  const auto given = static_cast<qint64>(number("context"));
  const qint64 tokens = given > 0 ? given : length;
  const auto window = static_cast<qint64>(number("window"));
  const QString policy = value(QStringLiteral("policy")).trimmed();
  const bool isLearned = (policy.isEmpty() || policy == QStringLiteral("model")) &&
                         value(QStringLiteral("full_attention")) != QStringLiteral("true");
  if (!isLearned || tokens <= 0 || window < tokens) return {};
  return {{QStringLiteral("window"),
           tr("W is not smaller than the %1 tokens of a text: no Sliding token is ever dropped there.")
               .arg(groupedNumber(tokens))}};
}

QString JobDraft::said(const JobField& field) const {
  const QString text = value(keyOf(field)).trimmed();
  if (field.kind != jobs::FieldKind::path || text.isEmpty()) return text;
  // The command must mean the same in a terminal that stands elsewhere, and quoted no shell knows a ~.
  if (text.startsWith(QStringLiteral("~/"))) return QDir::cleanPath(QDir::homePath() + text.mid(1));
  return QDir::cleanPath(QDir::current().absoluteFilePath(text));
}

QStringList JobDraft::flags() const {
  std::vector<jobs::JobOption> options;
  for (const JobField* const field : fields()) {
    options.push_back({field->option, said(*field).toStdString()});
  }
  if (kind_ != DraftKind::scratch) options.push_back({"trained", trainedText(kind_)});
  QStringList words;
  for (const std::string& word : jobs::job_flags(jobKind(), options)) words << QString::fromStdString(word);
  if (device != QStringLiteral("auto")) words << QStringLiteral("--device") << device;
  return words;
}

QStringList JobDraft::arguments(bool isStarted) const {
  QStringList arguments;
  if (origin_.isEmpty()) {
    arguments << QLatin1String(jobs::name(jobKind())) << flags() << QStringLiteral("--detach")
              << QStringLiteral("--name") << name;
    if (!isStarted) arguments << QStringLiteral("--no-start");
  } else {
    arguments << QStringLiteral("jobs") << QStringLiteral("duplicate") << origin_ << name;
    for (const JobField* const field : fields()) {
      const QString key = keyOf(*field);
      const QString text = said(*field);
      if (jobs::same_value(*field, text.toStdString(), original_.value(key).toStdString())) continue;
      // An old job's numbers are worked out; emptied, they are worked out again.
      const bool isNumber = field->kind == jobs::FieldKind::integer || field->kind == jobs::FieldKind::real;
      arguments << QStringLiteral("--set") << key + u'=' + (text.isEmpty() && isNumber ? QStringLiteral("0") : text);
    }
    if (isStarted) arguments << QStringLiteral("--start");
  }
  if (!onSlurm) return arguments;
  arguments << QStringLiteral("--runner") << QStringLiteral("slurm");
  for (const QString& word : QProcess::splitCommand(sbatch)) arguments << QStringLiteral("--sbatch=") + word;
  return arguments;
}

QStringList JobDraft::forecastArguments() const {
  if (kind_ == DraftKind::scratch) return {};
  return QStringList{QStringLiteral("finetune")} << flags() << QStringLiteral("--forecast") << QStringLiteral("--json");
}

JobEstimate JobDraft::estimate() const {
  JobEstimate estimate;
  const double steps = number("steps");
  if (steps > 0 && number("context") > 0) estimate.tokens = steps * number("batch") * number("context");
  if (kind_ != DraftKind::scratch) return estimate;
  const double hidden = number("hidden");
  const double layers = number("layers");
  const double headSize = number("head_dim") > 0 ? number("head_dim") : hidden / number("heads");
  const double queries = headSize * number("heads");
  const double keys = headSize * number("kv_heads");
  const double inner = number("intermediate") > 0
                           ? number("intermediate")
                           : static_cast<double>(jobs::default_intermediate(static_cast<std::int64_t>(hidden)));
  const double vocab = number("vocab");
  estimate.parameters = vocab * hidden + layers * (2 * hidden * queries + 2 * hidden * keys + 3 * hidden * inner +
                                                   2 * hidden * number("kv_heads") + 2 * hidden);
  const double atOnce = number("micro_batch") > 0 ? number("micro_batch") : number("batch");
  const double rows = atOnce * number("context");
  // Weights, gradients and two moments in four bytes each; per row the kept activations of a layer, and the logits
  // with their gradient.
  estimate.memory =
      16 * estimate.parameters + 4 * rows * (layers * (6 * hidden + 2 * queries + 2 * keys + 3 * inner) + 2 * vocab);
  // The checkpoints, one more while it is written, and the finished model.
  const double checkpoints = std::max(2.0, number("checkpoints_kept")) + 1;
  estimate.disk = (checkpoints * 12 + 4) * estimate.parameters;
  return estimate;
}

}  // namespace natscope::ui
