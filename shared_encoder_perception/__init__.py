# SPDX-License-Identifier: Apache-2.0
"""One shared encoder per camera image: five lane centre lines and a drivable-surface mask.

Keep this file to the two lines below. ROS 2 generates ``shared_encoder_perception.msg`` into a
package of the same name, and either ``__init__`` may win; ``extend_path`` joins the two folders.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
