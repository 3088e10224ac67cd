#include "resources/line_form.h"

namespace fairlead::resources {

const LineForm* FindLineForm(v1::Form form) {
  static constexpr LineForm kEnv = {"variable", "value", " = "};
  static constexpr LineForm kLabels = {"variable", "value", ": "};
  static constexpr LineForm kConversion = {"local", "container", ": "};
  static constexpr LineForm kTermLabel = {"signal", "label", ": "};
  switch (form) {
    case v1::FORM_ENV_LIST:
      return &kEnv;
    case v1::FORM_LABELS_LIST:
      return &kLabels;
    case v1::FORM_CONVERSION_LIST:
      return &kConversion;
    case v1::FORM_TERM_LABEL_LIST:
      return &kTermLabel;
    default:
      return nullptr;
  }
}

}  // namespace fairlead::resources
