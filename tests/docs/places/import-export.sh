mkdir -p .taskmaster/tasks backlog/tasks backlog/milestones
cat > .taskmaster/tasks/tasks.json <<'END'
{"master": {"tasks": [{"id": 1, "title": "Write the parser", "description": "", "status": "done", "priority": "high", "dependencies": []}]}}
END
printf 'project_name: "Parser"\ntask_prefix: "task"\n' > backlog/config.yml
cat > 'backlog/tasks/task-1 - Write-the-parser.md' <<'END'
---
id: TASK-1
title: Write the parser
status: To Do
milestone: Version 1
dependencies: []
---
END
cat > 'backlog/tasks/task-2 - Test-it.md' <<'END'
---
id: TASK-2
title: Test it
status: To Do
assignee: []
labels: []
milestone: Version 1
dependencies:
  - TASK-1
  - TASK-9
---
END
